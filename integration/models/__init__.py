"""Tables, constraints and querysets; one module per noun."""

from integration.models.connections import Connection
from integration.models.couplings import Coupling
from integration.models.endpoints import Endpoint
from integration.models.errors import ErrorPayload, SyncError
from integration.models.jobs import Job, JobEntry
from integration.models.mappings import FieldMapping, TableMapping
from integration.models.operations import ErrorCell, Operation, OperationCell
from integration.models.pending import PendingRecord
from integration.models.problems import Problem
from integration.models.users import User

__all__ = [
    "Connection",
    "Coupling",
    "Endpoint",
    "ErrorCell",
    "ErrorPayload",
    "FieldMapping",
    "Job",
    "JobEntry",
    "Operation",
    "OperationCell",
    "PendingRecord",
    "Problem",
    "SyncError",
    "TableMapping",
    "User",
]
