"""What AWS answers when it does not do what it was asked for, as errors that say how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as boto  # type: ignore[import-untyped]

from ostinato.config.addresses import without_secrets
from ostinato.config.buses import AwsSettings
from ostinato.errors import BusError, UsageError


class Absent(BusError):
    """What was asked for is not there."""


class Denied(BusError):
    """These credentials may not do it."""


class Unfit(BusError):
    """The service will never take what the request holds."""


_UNKNOWN_KEY = frozenset((
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId",
    "InvalidSecurity", "InvalidSignatureException", "MissingAuthenticationToken",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
))  # fmt: skip
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired"))
_DENIED = frozenset((
    "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
    "OptInRequired", "UnauthorizedOperation",
))  # fmt: skip
_ABSENT = frozenset((
    "NonExistentQueue", "NotFound", "NotFoundException", "QueueDoesNotExist",
    "ResourceNotFoundException",
))  # fmt: skip
_UNFIT = frozenset((
    "BatchRequestTooLong", "BatchRequestTooLongException", "InvalidAttributeValue",
    "InvalidMessageContents", "InvalidParameter", "InvalidParameterException",
    "InvalidParameterValue", "InvalidParameterValueException", "MessageTooLong",
    "MissingParameter", "ParameterValueInvalid", "ValidationError", "ValidationException",
))  # fmt: skip

_IN_XML = re.compile(r"<Code>(?P<code>[^<]*)</Code>\s*<Message>(?P<text>[^<]*)</Message>")

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.InvalidConfigError,
    boto.TokenRetrievalError,
)
_AWAY = (
    boto.ConnectionError,
    boto.ConnectTimeoutError,
    boto.EndpointConnectionError,
    boto.HTTPClientError,
    boto.ReadTimeoutError,
)


def trouble(error: Exception, settings: AwsSettings, service: str, missing: str = "") -> BusError:
    """``missing`` says what is not there, if that is it, and how it is made."""
    if isinstance(error, boto.ClientError):
        return _answered(error, settings, service, missing)
    table, said = f"[bus.{settings.name}]", _flat(error, settings.endpoint or "")
    if isinstance(error, boto.NoRegionError):
        hint = f'region = "eu-central-1" under {table}, or AWS_REGION'
        return BusError(f"{service}: no region is known; write {hint}")
    if isinstance(error, _NO_CREDENTIALS):
        return BusError(f"{service}: no credentials: {said}; {_credentials(table)}")
    if isinstance(error, boto.ParamValidationError):
        return Unfit(f"{service}: {said}")
    if isinstance(error, _AWAY):
        where = settings.endpoint and without_secrets(settings.endpoint)
        where = where or f"AWS in {settings.region or 'its region'}"
        return BusError(f"{service}: {where} cannot be reached: {said}")
    return BusError(f"{service}: {said}")


def _answered(
    error: boto.ClientError, settings: AwsSettings, service: str, missing: str
) -> BusError:
    said = error.response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", ""))
    if code.isdecimal() and (found := _IN_XML.search(text)):  # in the protocol of older services
        code, text = found["code"], found["text"]
    name = code.rpartition(".")[2]
    text = _flat(text, settings.endpoint or "")
    told = f"{service}: {error.operation_name}: {name}: {text}".removesuffix(": ")
    table = f"[bus.{settings.name}]"
    if name in _ABSENT:
        return Absent(f"{service}: {missing}" if missing else told)
    if name in _UNKNOWN_KEY:
        return BusError(f"{told}; AWS does not know this key: {_credentials(table)}")
    if name in _EXPIRED:
        return BusError(f"{told}; the credentials have expired: {_credentials(table)}")
    if name in _DENIED:
        action = f"{service}:{error.operation_name.removesuffix('Batch')}"
        return Denied(f"{told}; the key of {table} needs the permission {action}")
    return (Unfit if name in _UNFIT else BusError)(told)


def _credentials(table: str) -> str:
    return (
        f"write access_key_id and secret_access_key under {table}, or let AWS_PROFILE, "
        "AWS_ACCESS_KEY_ID or the machine's role say them"
    )


def _flat(error: Exception | str, endpoint: str = "") -> str:
    """In a line. ``endpoint`` may have any letters, so it is known by being the same."""
    text = str(error)
    if endpoint:
        text = text.replace(endpoint, without_secrets(endpoint))
    return re.sub(r"\s+", " ", _ADDRESS.sub(_shown, text)).strip()[:500]


_ADDRESS = re.compile(r"https?://\S+")


def _shown(address: re.Match[str]) -> str:
    """What fails at an address tells it whole: as it was written, or as it was asked."""
    return without_secrets(address[0])


# -- one entry of a batch ----------------------------------------------------------------------

_PASSING = re.compile("throttl|kms|accessdenied|overlimit|internal|unavailable", re.IGNORECASE)
"""What is the sender's fault, as AWS says, and yet no fault of the message."""


def entry_error(service: str, failed: Mapping[str, Any]) -> Exception:
    """Why one entry of a batch was not taken: ``UsageError`` when it never will be."""
    code, text = str(failed.get("Code", "")), _flat(str(failed.get("Message", "")))
    kind: Callable[[str], Exception] = BusError
    if failed.get("SenderFault") and not _PASSING.search(code):
        kind = UsageError
    return kind(f"{service}: {code}: {text}".removesuffix(": "))
