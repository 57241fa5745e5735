"""What a file says about itself, and what of it is not so on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musiccore.errors import ConfigError
from musiccore.journal.manifest import Difference
from musiccore.models.loading import Models
from musiccore.request.request import GenerationRequest
from musiccore.runs.create import program_versions
from musiccore.runs.primer import file_sha256
from musiccore.sampling.randomness import RNG_SCHEME
from musiccore.storage.sealed import canonical_json, sha256
from musiccore.tags import read_tags
from musiccore.takes.lineage import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be made again.

    Attributes:
        origin: what the file says.
        conversions: what was done to the file since, oldest first.
        kind: format of the file.
        run_id: name of the run that makes it again; the same for all files of one song.
    """

    origin: Origin
    conversions: tuple[object, ...]
    kind: str
    run_id: str

    @classmethod
    def of(cls, file: Path) -> Wanted:
        """Read a file.

        Raises:
            AudioError: if it cannot be read.
            ConfigError: if it does not say how it was made.
        """
        tags = read_tags(file)
        made = tags.get("provenance")
        if not isinstance(made, dict) or "run" not in made:
            raise ConfigError(
                f"file: {file} was not made by jukeflow, or its metadata is gone",
                hint=f"`jukeflow explain {file}` shows what it says",
            )
        conversions = made.get("conversions")
        origin = Origin.of(made)
        name = sha256(canonical_json({"origin": made["origin"], "take": origin.take}))[:16]
        return cls(
            origin=origin,
            conversions=tuple(conversions) if isinstance(conversions, list) else (),
            kind=str(tags["format"]),
            run_id=f"again-{name}",
        )

    def request(self, primer: str) -> GenerationRequest:
        """Return the request with the primer's file as it lies here.

        Where the file holds the score itself, nothing else is needed.

        Raises:
            ConfigError: if a primer is missing, is another one, or is given and none is needed.
        """
        asked = self.origin.request
        if asked.primer is None:
            if primer:
                raise ConfigError("primer: the file was made without one", hint="leave it out")
            return asked
        if self.origin.score and not primer:
            return asked
        path = Path(primer or asked.primer)
        digest = file_sha256(path)
        if digest != self.origin.primer_sha256:
            what = "is not there" if not digest else "is not the one that the music starts from"
            raise ConfigError(
                f"primer: {path} {what} (sha256 {self.origin.primer_sha256[:16]}…)",
                hint="give the file with --primer FILE",
            )
        return asked.model_copy(update={"primer": str(path)})


def differences(origin: Origin, models: Models) -> tuple[Difference, ...]:
    """Return what decides the numbers and is not here as it was when the file was made.

    Args:
        origin: what the file says.
        models: the networks on this machine.

    Raises:
        CheckpointError: if weights are missing.
    """
    here: dict[str, object] = {**models.numerics(), "rng": RNG_SCHEME}
    here |= {f"weights of {name}": digest for name, digest in models.digests().items()}
    here |= {f"version of {name}": text for name, text in program_versions().items()}
    then: dict[str, object] = {name: origin.numerics.get(name) for name in models.numerics()}
    then |= {"rng": origin.rng}
    then |= {f"weights of {name}": digest for name, digest in origin.weights.items()}
    then |= {f"version of {name}": text for name, text in origin.versions.items()}
    return tuple(
        Difference(field=name, recorded=str(then.get(name)), current=str(here.get(name)))
        for name in dict.fromkeys([*then, *here])
        if str(then.get(name)) != str(here.get(name))
    )
