"""Tables, constraints and querysets; one module per noun."""

from integration.models.alerts import (
    Alert,
    AlertLook,
    AlertMessage,
    AlertRecipient,
    AlertSubject,
)
from integration.models.articles import TaughtArticle
from integration.models.connections import Connection
from integration.models.couplings import Coupling
from integration.models.endpoints import Endpoint
from integration.models.errors import ErrorPayload, SyncError
from integration.models.jobs import Job, JobEntry
from integration.models.looks import Look
from integration.models.mappings import FieldMapping, TableMapping
from integration.models.operation_items import OperationItem
from integration.models.operations import (
    ErrorCell,
    ErrorTotal,
    Operation,
    OperationCell,
    PreviewInstant,
)
from integration.models.pending import PendingRecord
from integration.models.problems import Problem, ProblemDay
from integration.models.users import FailedSignIn, User

__all__ = [
    "Alert",
    "AlertLook",
    "AlertMessage",
    "AlertRecipient",
    "AlertSubject",
    "Connection",
    "Coupling",
    "Endpoint",
    "ErrorCell",
    "ErrorPayload",
    "ErrorTotal",
    "FailedSignIn",
    "FieldMapping",
    "Job",
    "JobEntry",
    "Look",
    "Operation",
    "OperationCell",
    "OperationItem",
    "PendingRecord",
    "PreviewInstant",
    "Problem",
    "ProblemDay",
    "SyncError",
    "TableMapping",
    "TaughtArticle",
    "User",
]
