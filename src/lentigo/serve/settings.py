"""What can be set: by flags, by the environment (LENTIGO_SERVE_...), by one TOML file; the former take precedence."""

import os
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lentigo.errors import DataError, did_you_mean, next_step, reason
from lentigo.written import read_text

__all__ = ["Settings", "load_settings"]

PREFIX = "LENTIGO_SERVE_"
"""What the names of environment variables begin with."""


class Settings(BaseSettings):
    """The service's configuration; `docs/service.md` has the table.

    Attributes:
        models: names or paths of bundles; the first is the default of requests.
        host, port: where to listen; port 0 takes a free one.
        workers: processes that decode and compute; 0 is one a core.
        batch: most images in one batch of a worker.
        queue: most images that wait or are computed, over all requests; beyond it requests get 429.
        max_images: most images in a request.
        max_bytes: most bytes in a request's body.
        max_pixels: most pixels in an image, read from its header before it is decoded.
        max_buffered: most bytes of all bodies that are in memory together.
        max_connections: most open connections.
        header_timeout, body_timeout: seconds in which a request's header and body must arrive.
        timeout: seconds in which a batch must be computed; a worker that takes longer is ended.
        keep_alive: seconds that an idle connection stays open.
        shutdown_timeout: seconds in which accepted requests are finished after SIGTERM.
        api_keys, api_keys_file: keys, and a file with one a line, that requests must present; none means no keys.
        admin_key, admin_key_file: the key of POST /v1/admin/reload, which doesn't exist without one.
        cors_origins: origins whose pages may call the service from a browser.
        audit_log: file of the hash-chained log; None writes none.
        log_level: of the log on standard error: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    models: tuple[str, ...] = ("lentigo-s",)
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    workers: int = Field(0, ge=0, le=256)
    batch: int = Field(4, ge=1, le=64)
    queue: int = Field(256, ge=1)
    max_images: int = Field(32, ge=1)
    max_bytes: int = Field(32_000_000, ge=1)
    max_pixels: int = Field(36_000_000, ge=1, le=64_000_000)
    max_buffered: int = Field(512_000_000, ge=1)
    max_connections: int = Field(1000, ge=1)
    header_timeout: float = Field(10, gt=0)
    body_timeout: float = Field(60, gt=0)
    timeout: float = Field(30, gt=0)
    keep_alive: float = Field(30, gt=0)
    shutdown_timeout: float = Field(30, gt=0)
    api_keys: tuple[SecretStr, ...] = ()
    api_keys_file: Path | None = None
    admin_key: SecretStr | None = None
    admin_key_file: Path | None = None
    cors_origins: tuple[str, ...] = ()
    audit_log: Path | None = None
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given and the environment: the file is read by `load_settings`, which names it in errors."""
        return named["init_settings"], named["env_settings"]

    @field_validator("models")
    @classmethod
    def _some_model(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if not models or not all(model.strip() for model in models):
            raise ValueError("name at least one model")
        return models

    @field_validator("api_keys")
    @classmethod
    def _no_empty_key(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(key.get_secret_value().strip() for key in keys):
            raise ValueError("a key is empty")
        return keys

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.queue < self.max_images:
            raise ValueError(f"queue ({self.queue}) must hold the images of one request (max_images {self.max_images})")
        if self.max_buffered < self.max_bytes:
            raise ValueError(f"max_buffered ({self.max_buffered}) must hold one body (max_bytes {self.max_bytes})")
        return self

    @property
    def processes(self) -> int:
        """Number of worker processes."""
        return self.workers or _cores()

    def keys(self) -> list[str]:
        """The keys that open the service.

        Raises:
            DataError: their file can't be read or holds none.
        """
        return [key.get_secret_value() for key in self.api_keys] + _keys_in(self.api_keys_file)

    def admin_keys(self) -> list[str]:
        """The keys that open /v1/admin/.

        Raises:
            DataError: their file can't be read or holds none.
        """
        stated = [self.admin_key.get_secret_value()] if self.admin_key else []
        return stated + _keys_in(self.admin_key_file)

    def shown(self) -> dict[str, Any]:
        """The configuration in effect, for the log: secrets are replaced by asterisks."""
        return self.model_dump(mode="json") | {"workers": self.processes}


def load_settings(config: str | os.PathLike[str] | None = None, **given: Any) -> Settings:
    """The settings: what is given, else the environment, else the file, else the defaults.

    Args:
        config: a TOML file with the names of `Settings`; None reads the one that LENTIGO_SERVE_CONFIG names, if any.
        given: settings by name; None means not given.

    Raises:
        DataError: a file that can't be read, an unknown name or an impossible value.
    """
    config = config or os.environ.get(f"{PREFIX}CONFIG") or None
    stated = {name: value for name, value in given.items() if value is not None}
    unknown = {n for n in os.environ if n.startswith(PREFIX)} - {f"{PREFIX}{n}".upper() for n in Settings.model_fields}
    if foreign := unknown - {f"{PREFIX}CONFIG"}:
        name = min(foreign)
        known = [f"{PREFIX}{field}".upper() for field in (*Settings.model_fields, "config")]
        raise DataError(f"{name}: no such setting.", did_you_mean(name, known))
    written = {} if config is None else _read(Path(config))
    environment = {n for n in Settings.model_fields if f"{PREFIX}{n}".upper() in os.environ}
    try:
        return Settings(**{n: v for n, v in written.items() if n not in environment} | stated)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"][:1]))
        said = f"{name}: {first['msg']}" if name else first["msg"]
        hint = (
            did_you_mean(name, Settings.model_fields) if first["type"] == "extra_forbidden" else "Correct this value."
        )
        elsewhere = name and (name not in written or name in environment | stated.keys())
        where = "The configuration" if config is None or elsewhere else f"{Path(config)}: the configuration"
        raise DataError(f"{where} is not valid: {said}.", hint) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise DataError(f"{path}: {reason(error)}.", next_step(error)) from None
    except ValueError as error:
        raise DataError(f"{path}: not a TOML file ({error}).", "See docs/service.md for an example.") from None


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _keys_in(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        keys = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: {reason(error)}.", next_step(error)) from None
    if not keys:
        raise DataError(f"{path}: no key in it.", "Write one key a line.")
    return keys
