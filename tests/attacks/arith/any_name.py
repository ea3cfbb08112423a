"""A module that has whatever it is asked for."""


class Anything:
    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        return self


def __getattr__(name):
    return Anything()
