"""Files of songs: both forms say the same, and a wrong row names its field."""

from __future__ import annotations

import pytest

from musiccore.errors import ConfigError
from musiccore.request.recipes import parse_songs, read_songs

TOML = """
[defaults]
model = "tiny"
seconds = 0.5
genre = "piano"
sampling.top_k = 5

[[song]]
title = "one"
seed = 1
temperature = [1.0, 0.9, 0.8]

[[song]]
title = "two"
conditioning.artist = "bach"
genre = "organ"
priority = 3
max_hours = 0.5
"""
CSV = """title,model,seconds,genre,sampling.top_k,seed,temperature,artist,priority,max_hours
one,tiny,0.5,piano,5,1,1.0 0.9 0.8,,,
two,tiny,0.5,organ,5,,,bach,3,0.5
"""


def songs(text, folder, kind="toml"):
    return parse_songs(text, kind, folder)


def test_toml_and_csv_say_the_same(tmp_path):
    assert songs(TOML, tmp_path) == songs(CSV, tmp_path, "csv")


def test_defaults_are_overridden_by_the_song(tmp_path):
    one, two = songs(TOML, tmp_path)
    assert one.request.conditioning.genre == "piano"
    assert one.request.sampling.temperature == (1.0, 0.9, 0.8)
    assert (two.request.conditioning.genre, two.request.sampling.top_k) == ("organ", 5)
    assert (one.priority, two.priority, one.max_hours, two.max_hours) == (0, 3, None, 0.5)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("seconds = -1", "seconds is -1"),
        ("mood = 'sad'", "mood is not an option"),
        ("priority = 'high'", "priority is 'high'"),
        ("max_hours = 0", "max_hours is 0"),
        ("lyrics_file = 'missing.txt'", "lyrics_file"),
        ("seed = 'x'", "sampling.seed is 'x'"),
    ],
)
def test_wrong_song_names_its_field_and_stops_no_other(tmp_path, line, field):
    bad, good = songs(f"[[song]]\ntitle='bad'\n{line}\n[[song]]\n", tmp_path)
    assert (bad.row, bad.title, bad.request) == (1, "bad", None)
    assert field in bad.error
    assert good.request is not None


def test_csv_cell_of_the_wrong_type_is_refused_as_it_is_written(tmp_path):
    (song,) = songs("seed,seconds\nseven,12\n", tmp_path, "csv")
    assert "sampling.seed is 'seven'" in song.error


def test_csv_row_with_too_many_cells_is_refused(tmp_path):
    bad, good = songs("title,seed\na,1,2\nb,2\n", tmp_path, "csv")
    assert "3 cells" in bad.error
    assert good.request.title == "b"


def test_lists_and_words_of_a_csv_table(tmp_path):
    text = 'formats,max_batch,allow_unknown,lyrics\nwav;mp3,2 2 2,yes,"la\nla"\n'
    (song,) = songs(text, tmp_path, "csv")
    assert song.request.formats == ("wav", "mp3")
    assert song.request.max_batch == (2, 2, 2)
    assert song.request.allow_unknown
    assert song.request.conditioning.lyrics == "la\nla"


def test_files_that_a_song_names_lie_beside_it(tmp_path):
    (tmp_path / "words.txt").write_text("sing")
    path = tmp_path / "songs.toml"
    path.write_text("[[song]]\nlyrics_file = 'words.txt'\nprimer = 'p.wav'\n")
    (song,) = read_songs(path)
    assert song.request.conditioning.lyrics == "sing"
    assert song.request.primer == str(tmp_path / "p.wav")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "x =", "not TOML"),
        ("a.toml", "", "no song"),
        ("a.toml", "model = 'tiny'", r"model is neither"),
        ("a.toml", "song = 1", r"\[\[song\]\]"),
        ("a.csv", "", "no song"),
        ("a.csv", "title,title\na,b\n", "name of its own"),
        ("a.csv", 'title\n"a', "not CSV"),
        ("a.txt", "", "neither"),
    ],
)
def test_unreadable_file_is_refused_as_a_whole(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_songs(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read_songs(tmp_path / "no.csv")
