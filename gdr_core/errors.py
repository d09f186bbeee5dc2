# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that a person is meant to read."""


class GdrError(Exception):
    """Something that a person can mend.

    Its text is a sentence that says what is wrong and what to do. The panel, the command line
    and ``trainer.log`` show it as it is, without a traceback.
    """


class BadSettings(GdrError):
    """A setting that cannot be used; the command line exits with 2."""
