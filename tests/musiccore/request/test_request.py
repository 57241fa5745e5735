"""A wrong request ends at once, in one line that names the field; a right one means one thing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musiccore import audio
from musiccore.errors import AudioError, ConditioningError, ConfigError, MusicCoreError
from musiccore.models.machine import Machine
from musiccore.models.presets import preset
from musiccore.request.check import check
from musiccore.request.request import Conditioning, GenerationRequest, SamplingOptions
from musiccore.runs.create import check_request
from musiccore.runs.primer_audio import primer_samples

NAN, INF = float("nan"), float("inf")


def _request(**data: Any) -> GenerationRequest:
    return GenerationRequest.parse(data)


@pytest.mark.parametrize(
    ("field", "data"),
    [
        *(("seconds", {"seconds": x}) for x in (NAN, INF, -INF, 0, -1.0, 1e308, "1", True, None)),
        *(("total_seconds", {"total_seconds": x}) for x in (NAN, 0, "1", False)),
        *(("takes", {"takes": x}) for x in (0, -1, 10**6, 1.5, "1", True, NAN)),
        *(("sampling.seed", {"sampling": {"seed": x}}) for x in (-1, 2**63, 2**64, 1.0, "1", True)),
        *(
            ("sampling.temperature", {"sampling": {"temperature": x}})
            for x in (0, -1, NAN, INF, 1e308, "1", True, [1, 0, 1], [1, NAN, 1], [1, "1", 1])
        ),
        *(("sampling.top_p", {"sampling": {"top_p": x}}) for x in (0, -0.1, 1.1, NAN, "1", True)),
        *(("sampling.top_k", {"sampling": {"top_k": x}}) for x in (-1, 1.5, "1", True, 10**9)),
        ("top_k and top_p", {"sampling": {"top_k": 5, "top_p": 0.9}}),
        *(("window_hop", {"window_hop": x}) for x in ([0, 1, 1], [1.5, 1, 1], 3, "1,2,3", [True])),
        *(("max_batch", {"max_batch": x}) for x in ([0, 1, 1], [NAN], 10**6)),
        *(("formats", {"formats": x}) for x in ([], ["ogg"], ["wav", "wav"], "wav")),
        ("choose", {"choose": "worst"}),
        *(("title", {"title": x}) for x in ("", "x" * 121, "a\nb", "a\x00", "\u202etitle", 3)),
        *(("primer", {"primer": x}) for x in ("", "a\x00b", 3, "x" * 5000)),
        *(("primer_compose.key", {"primer_compose": {"key": x}}) for x in ("H", "A minor", 3)),
        ("primer_compose.tempo", {"primer_compose": {"tempo": 500}}),
        *(("model", {"model": x}) for x in ("", None, 3, "x" * 65)),
        *(
            ("conditioning.lyrics", {"conditioning": {"lyrics": x}})
            for x in ("la" * 5_000_000, "x" * 100_000, "\ud800", None, 3, b"\xff")
        ),
        ("conditioning.artist", {"conditioning": {"artist": "x" * 201}}),
        ("conditioning", {"conditioning": "bach"}),
        ("allow_unknown", {"allow_unknown": "yes"}),
        ("sampling.sed", {"sampling": {"sed": 3}}),
        ("lenght", {"lenght": 3}),
    ],
    ids=lambda x: repr(x)[:50],
)
def test_wrong_values_are_refused_by_name_in_one_line(field: str, data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        _request(**data)
    assert field in caught.value.message.split(": ")[0] or field in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300
    assert ";" not in caught.value.message or "top_k" in field


def test_several_wrong_fields_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"seconds is 0: .*; takes is 0: "):
        _request(seconds=0, takes=0)


@pytest.mark.parametrize(
    ("error", "pattern", "data"),
    [
        (ConfigError, "^model is 'nanno'; known models are", {"model": "nanno"}),
        (ConfigError, r"^seconds is 1\.0; .* at least 4\.1 s", {"seconds": 1.0}),
        (ConfigError, "^seconds is 900", {"seconds": 900.0}),
        (ConfigError, "^total_seconds is 5", {"total_seconds": 5.0}),
        (ConfigError, "^total_seconds is 3000", {"total_seconds": 3000.0}),
        (ConfigError, "^window_hop has 2 numbers", {"window_hop": [64, 64]}),
        (
            ConfigError,
            "^window_hop of level 0 is 63; .* multiple of 2",
            {"window_hop": [63, 64, 64]},
        ),
        (ConfigError, "^window_hop of level 2 is 513", {"window_hop": [64, 64, 513]}),
        (ConfigError, "^max_batch has 1 ", {"max_batch": [4]}),
        (ConfigError, "^temperature has 2 ", {"sampling": {"temperature": [1.0, 1.0]}}),
        (ConfigError, "^top_k is 5000", {"sampling": {"top_k": 5000}}),
        (ConditioningError, "^artist is 'bahc'.*'bach'", {"conditioning": {"artist": "bahc"}}),
        (ConditioningError, "^genre is 'pinao'.*'piano'", {"conditioning": {"genre": "pinao"}}),
        (ConditioningError, "^genre has 3 words", {"conditioning": {"genre": "piano minor major"}}),
        (ConditioningError, "^artist is #9", {"conditioning": {"artist": "#9"}}),
        (
            ConditioningError,
            "^lyrics are given, and model nano",
            {"conditioning": {"lyrics": "la"}},
        ),
        (ConfigError, "^primer_seconds is 2", {"primer_seconds": 2.0}),
        (AudioError, "does not exist", {"primer": "no/such/file.wav"}),
    ],
    ids=lambda x: repr(x)[:50],
)
def test_requests_that_do_not_fit_nano_are_refused(
    error: type[MusicCoreError], pattern: str, data: dict[str, Any]
) -> None:
    with pytest.raises(error, match=pattern) as caught:
        check_request(_request(**data), Machine())
    assert "\n" not in caught.value.message
    assert caught.value.hint or "top_k" in pattern or "seconds is 900" in pattern or "#9" in pattern


@pytest.mark.parametrize(
    "lyrics",
    [" \n\t", "\U0001f600", "a\x00b", "\n--==0==\n", "</script>", "\x1b[31mred"],
    ids=repr,
)
def test_lyrics_that_cannot_be_sung_are_refused(lyrics: str) -> None:
    request = _request(model="tiny", conditioning={"lyrics": lyrics})
    with pytest.raises(ConditioningError, match=r"^lyrics hold"):
        check(request)


def test_allowing_unknown_accepts_what_the_model_cannot_read() -> None:
    wanted = {"artist": "nobody", "genre": "polka", "lyrics": "50% \U0001f600"}
    request = _request(model="tiny", conditioning=wanted, allow_unknown=True)
    assert check(request).name == "tiny"


@pytest.mark.parametrize("model", ["nano", "tiny", "5b", "5b_lyrics", "1b_lyrics"])
def test_the_default_request_fits_every_model(model: str) -> None:
    config = check(_request(model=model))
    assert config == preset(model)


def test_names_for_released_models_need_tables_and_ids_do_not() -> None:
    with pytest.raises(ConditioningError, match="need the v2 label tables"):
        check(_request(model="5b", conditioning={"artist": "the beatles"}))
    check(_request(model="5b_lyrics", conditioning={"artist": "#5", "genre": "#1 #2"}))


def test_lengths_of_the_released_models() -> None:
    request = _request(model="5b", seconds=20.0)
    config = preset("5b")
    assert request.n_samples(config) == 881920
    assert [request.n_codes(config, level) for level in range(3)] == [110240, 27560, 6890]
    assert request.total_samples(config) == 60 * 44100
    assert _request(total_seconds=180.0).total_samples(config) == 180 * 44100


def test_options_per_level_default_to_the_model() -> None:
    config = preset("5b")
    request = _request(model="5b")
    assert request.window_hops(config) == (4096, 4096, 1024)
    assert request.batch_limits(config) == (16, 16, 3)
    assert request.temperatures(config) == (0.99, 0.99, 0.99)
    warm = _request(sampling={"temperature": 1})
    assert warm.temperatures(config) == (1.0, 1.0, 1.0)
    each = _request(sampling={"temperature": [1, 0.9, 0.98]})
    assert each.temperatures(config) == (1.0, 0.9, 0.98)


# ------------------------------------------------------------------------------- primer


def _wav(path: Path, seconds: float, rate: int = 8000) -> Path:
    samples = np.zeros((1, int(seconds * rate)), dtype=np.float32)
    path.write_bytes(audio.write(audio.Audio(samples=samples, sample_rate=rate), "wav"))
    return path


def test_primer_is_cut_to_whole_top_level_codes(tmp_path: Path) -> None:
    config = preset("tiny")
    path = str(_wav(tmp_path / "p.wav", 2.0))
    assert primer_samples(_request(primer=path), config) == 16000
    assert primer_samples(_request(primer=path, primer_seconds=1.0), config) == 7936
    assert primer_samples(_request(), config) == 0


def test_primer_at_another_rate_is_counted_at_the_rate_of_the_model(tmp_path: Path) -> None:
    path = str(_wav(tmp_path / "p.wav", 2.0, rate=16000))
    assert primer_samples(_request(primer=path), preset("tiny")) == 16000


@pytest.mark.parametrize(
    ("pattern", "data"),
    [
        ("^primer_seconds is 3", {"primer_seconds": 3.0}),
        ("^seconds is 2.0; the primer alone", {"seconds": 2.0}),
        ("^primer lasts 8 samples", {"primer_seconds": 0.001}),
    ],
)
def test_primers_that_do_not_fit_are_refused(
    tmp_path: Path, pattern: str, data: dict[str, Any]
) -> None:
    path = str(_wav(tmp_path / "p.wav", 2.0))
    with pytest.raises(ConfigError, match=pattern):
        check_request(_request(model="tiny", primer=path, **data), Machine())


@pytest.mark.parametrize("content", [b"", b"not audio", None], ids=["empty", "text", "folder"])
def test_unreadable_primers_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.wav"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(AudioError, match=r"p\.wav"):
        check_request(_request(model="tiny", primer=str(path)), Machine())


# --------------------------------------------------------------------- recipe, identity


def test_recipe_file_is_the_request(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("la la\n", encoding="utf-8")
    recipe = tmp_path / "song.toml"
    recipe.write_text(
        'model = "tiny"\nseconds = 20\nformats = ["wav"]\nprimer = "p.wav"\n'
        '[conditioning]\ngenre = "piano"\nlyrics_file = "words.txt"\n'
        "[sampling]\nseed = 7\ntemperature = [1.0, 1, 0.98]\n",
        encoding="utf-8",
    )
    assert GenerationRequest.from_toml(recipe) == GenerationRequest(
        model="tiny",
        seconds=20.0,
        formats=("wav",),
        primer=str(tmp_path / "p.wav"),
        conditioning=Conditioning(genre="piano", lyrics="la la\n"),
        sampling=SamplingOptions(seed=7, temperature=(1.0, 1.0, 0.98)),
    )


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"seconds = ", "not TOML"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"secnods = 3", "secnods is not an option"),
        (b'[conditioning]\nlyrics_file = "none.txt"', "lyrics_file .* does not exist"),
        (b'[conditioning]\nlyrics_file = "x"\nlyrics = "y"', "not both"),
        (None, "does not exist"),
    ],
    ids=repr,
)
def test_damaged_recipes_are_refused(tmp_path: Path, content: bytes | None, pattern: str) -> None:
    path = tmp_path / "song.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=pattern) as caught:
        GenerationRequest.from_toml(path)
    assert "\n" not in caught.value.message


def test_equal_requests_have_equal_digests_and_other_ones_other_digests() -> None:
    assert _request().digest() == _request(seconds=12).digest()
    assert _request(seconds=12, conditioning={}).digest() == GenerationRequest().digest()
    others = [{"seconds": 13.0}, {"sampling": {"seed": 1}}, {"conditioning": {"lyrics": "é"}}]
    digests = {GenerationRequest().digest(), *(_request(**data).digest() for data in others)}
    assert len(digests) == 4
    again = GenerationRequest.model_validate_json(GenerationRequest().model_dump_json())
    assert again.digest() == GenerationRequest().digest()


def test_every_field_has_a_title_and_a_description() -> None:
    for model in (GenerationRequest, Conditioning, SamplingOptions):
        assert all(f.title and f.description for f in model.model_fields.values())
    assert GenerationRequest.model_json_schema()["additionalProperties"] is False


def test_importing_and_checking_a_request_does_not_import_torch() -> None:
    code = (
        "import sys; from musiccore.request.request import GenerationRequest; "
        "assert 'numpy' not in sys.modules, 'numpy'; "
        "from musiccore.request.check import check; check(GenerationRequest()); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
