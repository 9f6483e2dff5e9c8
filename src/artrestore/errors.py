"""The exception tree and the exit codes.

Every error that a user can cause is an `ArtRestoreError`: one sentence that says what is wrong, an optional
hint that says what to type next, and the exit code of the command. The codes are listed for users in
`docs/reference/exit-codes.md`. This module imports nothing of ours.
"""

from collections.abc import Iterable


class ArtRestoreError(Exception):
    """Base of all errors that a user can cause or mend.

    Args:
        message: one sentence, without a full stop at the end, that says what is wrong.
        hint: what to type or change; printed after `Hint:`.
        details: names (of files, say) that belong to the message; printed one per line.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class UsageError(ArtRestoreError):
    """Options that contradict each other, or a value outside its range."""

    exit_code = 2


class InputError(ArtRestoreError):
    """An input folder or file is missing, empty or unfit."""

    exit_code = 3


class PictureError(InputError):
    """One picture cannot be read or has a shape that the work at hand cannot take."""


class NothingToDoError(InputError):
    """The input holds no pictures, or the filters leave none."""

    exit_code = 10


class PairingError(InputError):
    """Files cannot be matched to their clear pictures by name."""


class WeightsError(ArtRestoreError):
    """A weight file is missing, damaged, of another kind, or does not fit its architecture."""

    exit_code = 4


class ChecksumError(WeightsError):
    """What was fetched, or lies in the cache, is not what was promised: its SHA-256 is another."""


class UnsupportedError(WeightsError):
    """The model cannot do what was asked of it (a network with skips cannot sample, say)."""


class DeviceError(ArtRestoreError):
    """The device that was asked for is not there or cannot do what was asked."""

    exit_code = 5


class OutputError(ArtRestoreError):
    """An output cannot be written: no permission, no space, or it would harm an original."""

    exit_code = 6


class DiskFullError(OutputError):
    """No space is left, so nothing more can be written."""

    exit_code = 9


class PartialFailureError(ArtRestoreError):
    """The run ended, but some pictures failed; the others are done."""

    exit_code = 7


class DivergedError(ArtRestoreError):
    """Training produced too many updates in a row that were not finite or exploded."""

    exit_code = 8


class NetworkError(ArtRestoreError):
    """Something has to be fetched, and cannot be: no connection, a server that fails, or offline."""

    exit_code = 11


class InterruptedRunError(ArtRestoreError):
    """The user stopped the run; what was done is saved."""

    exit_code = 130
