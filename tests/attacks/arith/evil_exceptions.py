"""Exceptions that lie about what they are, or cannot be looked at."""

import itertools


class Base(BaseException):
    pass


class Unprintable(ValueError):
    def __str__(self):
        raise SystemExit

    __repr__ = __str__


class NoText(ValueError):
    def __str__(self):
        return 5


class Endless(ValueError):
    def __str__(self):
        return str(self)


class Untraceable(ValueError):
    __traceback__ = property(lambda self: 1 // 0)


class Disguised(Exception):
    __class__ = property(lambda self: ValueError)


class Long(ValueError):
    def __str__(self):
        return "factor -1.0\n" * 1_000_000


class Meta(type):
    __name__ = property(lambda cls: 1 // 0)
    __mro__ = property(lambda cls: 1 // 0)


class Nameless(Exception, metaclass=Meta):
    pass


def outcome(name):
    """An exception that is called as pytest's and Hypothesis's own are."""
    return type(name, (Exception,), {"__module__": "_pytest.outcomes"})("passed")


ERRORS = itertools.cycle(
    [
        Base(),
        *(
            outcome(name)
            for name in ("Skipped", "Exit", "Failed", "UnsatisfiedAssumption", "StopTest", "Diverged")
        ),
        Unprintable(),
        NoText(),
        Endless(),
        Untraceable(),
        Disguised("factor -1.0"),
        ExceptionGroup("factor -1.0", [ValueError("factor -1.0")]),
        ValueError("\ud800 \x1b]0;owned\x07"),
        Nameless(),
    ]
)


def scale(x, factor):
    raise next(ERRORS)


def noise(n, generator):
    raise Long
