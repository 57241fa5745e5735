"""Times as people write them, and anything else refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musiccore.errors import ConfigError
from musiccore.timecode import clock, parse_hours, parse_parts, parse_range, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4", 4), ("4s", 4), (" 4.5 s ", 4.5), ("0:04", 4), ("1:02.5", 62.5), ("1:00:00", 3600)],
)
def test_time_is_read(text, seconds):
    assert parse_seconds(text, "at") == seconds


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("90m", 1.5), ("11h40m", 11 + 2 / 3), ("2.5", 2.5), ("0", 0)]
)
def test_hours_are_read(text, hours):
    assert parse_hours(text, "--after") == pytest.approx(hours)


def test_range_and_parts_are_read():
    assert parse_range("0:04-0:09", "--cut") == (4, 9)
    assert parse_range(" 31 – 34.5s ", "--redo") == (31, 34.5)
    assert parse_parts("3@0:00-0:04+take 5@0:04-0:09", "--splice") == [
        {"take": 3, "start": 0, "end": 4},
        {"take": 5, "start": 4, "end": 9},
    ]


HOSTILE = [
    *("", " ", "-1", "nan", "inf", "1e9", "4 5", "4m", "0x10", "1:2:3:4", "\x00", "\ud800"),
    *("\u0664", "1:99", "1:60:00", "9" * 400, "1" * 10_000_000, "<script>", "4s;rm"),
]  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: ascii(t)[:16])
def test_what_is_no_time_is_refused_by_name_and_at_once(text):
    for read in (parse_seconds, parse_range, parse_parts):
        with pytest.raises(ConfigError, match=r"^--at is ") as refused:
            read(text, "--at")
        assert len(refused.value.message) < 400
        assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    "text", ["", "h", "1e3", "-2h", "nan", "12x", "\u0664h", "1h1h", "9" * 400]
)
def test_what_is_no_number_of_hours_is_refused(text):
    with pytest.raises(ConfigError, match=r"^--after is "):
        parse_hours(text, "--after")


@pytest.mark.parametrize("text", ["5-5", "9-4", "4-", "-4", "1-2-3", "–" * 1_000_000, "a-b"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ConfigError, match="--cut is "):
        parse_range(text, "--cut")


@given(st.integers(0, 3_600_00).map(lambda n: n / 100))
def test_written_time_reads_back(seconds):
    assert parse_seconds(clock(seconds), "at") == pytest.approx(seconds, abs=1e-9)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text):
    for read in (parse_seconds, parse_hours, parse_range, parse_parts):
        try:
            read(text, "at")
        except ConfigError:
            continue


def test_clock_rounds_up_to_the_next_minute():
    assert [clock(s) for s in (0, 9, 59.999, 61.5, 600)] == [
        "0:00",
        "0:09",
        "1:00",
        "1:01.50",
        "10:00",
    ]
