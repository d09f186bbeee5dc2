# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a run: who may talk to whom.

A run has two CURVE key pairs, one for the sides that bind and one for those that connect, and an
id. They reach a child through its environment and never through a command line, and another process
of the same person through the file that ``LaunchInfo.save_json`` writes.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from .errors import CredentialsError

ENV_CREDENTIALS = "BLENDTORCH_CREDENTIALS"
"""The environment variable in which a child finds its run's keys."""


@dataclass(frozen=True)
class Credentials:
    """Id and CURVE keys (Z85 text) of one run.

    The dataclass pickles, so a dataset can carry it to the workers of a ``DataLoader``. Its
    ``repr`` shows the run's id alone.
    """

    run_id: str
    server_public: str = field(repr=False)
    server_secret: str = field(repr=False)
    client_public: str = field(repr=False)
    client_secret: str = field(repr=False)

    @classmethod
    def new(cls) -> Credentials:
        """Make the keys of a new run."""
        import zmq  # late, so that processes without pyzmq can import this module

        server = zmq.curve_keypair()
        client = zmq.curve_keypair()
        keys = (k.decode("ascii") for k in (*server, *client))
        return cls(secrets.token_hex(16), *keys)

    def dumps(self) -> str:
        """Return the credentials as text for an environment variable or a private file."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def loads(cls, text: str) -> Credentials:
        """Read what :meth:`dumps` wrote.

        Raises
        ------
        CredentialsError
            If the text is anything else. The message does not repeat the text.
        """
        try:
            data = json.loads(text)
            values = {f.name: data[f.name] for f in fields(cls)}
        except (ValueError, TypeError, KeyError):
            raise CredentialsError("The credentials cannot be read.") from None
        keys = [v for k, v in values.items() if k != "run_id"]
        if not all(isinstance(v, str) for v in values.values()) or any(len(k) != 40 for k in keys):
            raise CredentialsError("The credentials cannot be read.")
        return cls(**values)

    def to_env(self) -> dict[str, str]:
        """Return the variables to add to a child's environment."""
        return {ENV_CREDENTIALS: self.dumps()}

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Credentials | None:
        """Return the credentials in `env` (default: this process's environment), or None."""
        text = (os.environ if env is None else env).get(ENV_CREDENTIALS)
        return cls.loads(text) if text else None
