"""Due dates, late work and hidden checks: the right moment in every zone, and no typo passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from autograder.policy import HiddenChecks, PolicyError, days_later, read_policy
from tests.small_course import add, write_course

BERLIN = ZoneInfo("Europe/Berlin")
DUE = datetime(2026, 11, 22, 23, 59, tzinfo=BERLIN)
MEANS = "[unit.means]\ndue = 2026-11-22T23:59:00+01:00\n"
STUDENTS = ("ada", "blaise")


@pytest.fixture
def read(tmp_path):
    course = write_course(tmp_path)

    def read(text: str, students=STUDENTS):
        add(course, "course.toml", text)
        return read_policy(course, students)

    return read


def penalties(policy, *late, student="ada", points=100.0, most=100.0):
    return [policy.late_penalty(points, most, DUE + each, student, "means") for each in late]


def hours(*numbers):
    return [timedelta(hours=number) for number in numbers]


def test_without_a_file_nothing_is_due(tmp_path):
    policy = read_policy(write_course(tmp_path))
    assert policy.due("ada", "means") is None
    assert policy.late_penalty(50, 100, DUE, "ada", "means") == 0
    assert not policy.hidden_visible("means", "ada", DUE)
    with pytest.raises(PolicyError, match="there is no unit 'toy'; the units of this course are: means"):
        policy.due("ada", "toy")


def test_every_started_day_costs_up_to_the_cap(read):
    policy = read(MEANS + 'late = { percent = 10, per = "day", cap = 35 }\n')
    assert penalties(policy, *hours(-1, 0)) == [0, 0]
    assert penalties(policy, timedelta(seconds=1), *hours(24, 24.01, 48, 72.01, 10**5)) == [
        *(10, 10, 20, 20, 35),
        35,
    ]
    assert penalties(policy, *hours(25), points=60, most=50) == [10]
    assert penalties(policy, *hours(25), points=3) == [3]  # what is not there cannot be lost


def test_hours_and_grace(read):
    policy = read(MEANS + 'late = { percent = 1, per = "hour", grace_minutes = 15 }\n')
    minutes = [timedelta(minutes=each) for each in (15, 15.1, 75, 75.1)]
    assert penalties(policy, *minutes, *hours(1000)) == [0, 1, 1, 2, 100]
    policy = read(MEANS + 'late = { percent = 10, per = "day", grace_minutes = 15 }\n')
    assert penalties(policy, timedelta(days=1, minutes=15), timedelta(days=1, minutes=16)) == [10, 20]


def test_late_is_free_where_nothing_is_said(read):
    assert penalties(read(MEANS), *hours(100)) == [0]
    policy = read('late = { percent = 10, per = "day" }\n' + MEANS + 'late = "none"\n')
    assert penalties(policy, *hours(100)) == [0]
    policy = read('late = { percent = 10, per = "day" }\n' + MEANS)
    assert penalties(policy, *hours(1)) == [10]


def test_extensions_are_of_single_students(read):
    late = 'late = { percent = 10, per = "day" }\n[unit.means.extensions]\n'
    policy = read(MEANS + late + "ada = 3\nblaise = 2026-11-23T12:00:00Z\n")
    assert policy.due("ada", "means") == DUE + timedelta(days=3)
    assert policy.due("blaise", "means") == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert policy.due("chen", "means") == DUE
    assert penalties(policy, *hours(72, 73)) == [0, 10]
    assert penalties(policy, *hours(1), student="chen") == [10]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata", "UTC"])
def test_a_moment_is_the_same_in_every_zone(read, zone):
    policy = read(MEANS + 'late = { percent = 10, per = "day" }\n')
    for late, penalty in ((0, 0), (1, 10)):
        moment = (DUE + timedelta(seconds=late)).astimezone(ZoneInfo(zone))
        assert policy.late_penalty(100, 100, moment, "ada", "means") == penalty


def test_a_day_ends_by_the_clock_where_the_clocks_change(read):
    """On 25 October 2026 Berlin's day has 25 hours, on 29 March 23."""
    late = 'late = { percent = 10, per = "day" }\n[unit.means.extensions]\nada = 1\n'
    for due, offset, other in (("2026-10-24", "+02:00", "+01:00"), ("2026-03-28", "+01:00", "+02:00")):
        text = f'time_zone = "Europe/Berlin"\n[unit.means]\ndue = {due}T23:59:00{offset}\n{late}'
        policy = read(text)
        next_day = datetime.fromisoformat(f"{due}T23:59:00{other}") + timedelta(days=1)
        assert policy.due("ada", "means") == next_day
        for second, penalty in ((0, 10), (1, 20)):
            moment = next_day + timedelta(seconds=second)
            assert policy.late_penalty(100, 100, moment, "chen", "means") == penalty
        policy = read(text.replace("Europe/Berlin", "UTC"))
        assert policy.due("ada", "means") != next_day


def test_a_time_that_the_clock_shows_twice_or_never_is_the_later_one():
    day = datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN)
    assert days_later(day, 1, BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    day = datetime(2026, 3, 28, 2, 30, tzinfo=BERLIN)
    assert days_later(day, 1, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_hidden_checks_are_told_when_the_policy_says(read):
    after = read(MEANS + 'hidden = "after-due"\n[unit.means.extensions]\nada = 1\n')
    for student, late in (("chen", timedelta()), ("ada", timedelta(days=1))):
        assert not after.hidden_visible("means", student, DUE + late)
        assert after.hidden_visible("means", student, DUE + late + timedelta(seconds=1))
    assert after.units["means"].hidden is HiddenChecks.AFTER_DUE
    never_due = read('hidden = "after-due"\n')
    assert not never_due.hidden_visible("means", "ada", DUE)
    always = read('hidden = "always"\n')
    assert always.hidden_visible("means", "ada", DUE)
    never = read('hidden = "always"\n' + MEANS + 'hidden = "never"\n')
    assert not never.hidden_visible("means", "ada", DUE + timedelta(days=1000))


def test_times_without_a_zone_and_points_that_are_none_are_refused(read):
    policy = read(MEANS + 'hidden = "after-due"\nlate = { percent = 10, per = "day" }\n')
    naive = datetime(2026, 11, 22)
    with pytest.raises(PolicyError, match="has no time zone"):
        policy.late_penalty(1, 1, naive, "ada", "means")
    with pytest.raises(PolicyError, match="has no time zone"):
        policy.hidden_visible("means", "ada", naive)
    for points in (float("nan"), float("inf"), -1.0):
        with pytest.raises(PolicyError, match="cannot be reduced"):
            policy.late_penalty(points, 1, DUE, "ada", "means")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("duee = 1", r"course\.toml: unknown key 'duee'; known are time_zone, hidden, late, unit\."),
        ("[unit.mean]", r"course\.toml: unknown unit 'mean'; known are means\."),
        ("[unit.means]\ndeu = 1", r"unit\.means: unknown key 'deu'; known are due, late, hidden, extensions"),
        (MEANS + "extensions = { eda = 1 }", r"unknown student 'eda'; known are ada, blaise\."),
        (
            'time_zone = "Europe/Berlin"\n[unit.means]\ndue = 2026-07-01T23:59:00',
            r"'due' has no offset from UTC; write 2026-07-01T23:59:00\+02:00, if that is what is meant\.",
        ),
        ("[unit.means]\ndue = 2026-11-22", r"'due' has no time; write 2026-11-22T23:59:00\+00:00"),
        ('[unit.means]\ndue = "tomorrow"', "'due' must be a time with an offset, such as"),
        ("[unit.means]\ndue = 9999-12-31T23:59:00Z", "'due' must be a time with an offset, such as"),
        ("[unit.means.extensions]\nada = 1", "extension of 'ada' extends nothing: the unit has no 'due'"),
        (MEANS + "extensions = { ada = 0 }", "extension of 'ada' must be of 1 to 3660 days, not 0"),
        (MEANS + "extensions = { ada = true }", "must be a number of days or a new due date, not True"),
        (MEANS + "extensions = { ada = 2026-11-21T00:00:00Z }", "is before the unit is due"),
        (MEANS + "extensions = { ada = 2026-11-25T00:00:00 }", "'ada' has no offset from UTC; write"),
        (MEANS + "extensions = 3", "'extensions' must be a table"),
        ("unit = 3", "'unit' must be a table"),
        ('time_zone = "Europe/Berln"', "'time_zone' 'Europe/Berln' is no known zone"),
        ('time_zone = "../../etc/passwd"', "is no known zone"),
        ("time_zone = 3", "is no known zone"),
        ('hidden = "after"', "'hidden' must be one of never, after-due, always, not 'after'"),
        ("hidden = []", r"'hidden' must be one of never, after-due, always, not \[\]"),
        ('late = "some"', "'late' must be 'none' or a table"),
        ('late = { percent = 10, per = "week" }', "'per' must be 'day' or 'hour', not 'week'"),
        ('late = { per = "day" }', "'percent' must be a number from 0 to 100, not None"),
        ('late = { percent = nan, per = "day" }', "'percent' must be a number from 0 to 100, not nan"),
        ('late = { percent = true, per = "day" }', "'percent' must be a number from 0 to 100, not True"),
        ('late = { percent = 1, per = "day", cap = 101 }', "'cap' must be a number from 0 to 100"),
        ('late = { percent = 1, per = "day", grace = 5 }', "unknown key 'grace'; known are percent, per"),
        ("due = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_known(read, text, message):
    with pytest.raises(PolicyError, match=message):
        read(text)


def test_students_are_only_checked_where_they_are_known(read):
    with pytest.raises(PolicyError, match="unknown student 'eda'; known are none"):
        read(MEANS + "extensions = { eda = 1 }", ())
    assert read(MEANS + "extensions = { eda = 1 }", None).due("eda", "means") == DUE + timedelta(days=1)
