"""Django's admin: a read-only view for support, and where users are made."""

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    SetUnusablePasswordMixin,
    UserChangeForm,
)
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from integration.choices import Chip, ErrorState, Role
from integration.forms.setup import REASON_LENGTH
from integration.markup.records import (
    coupled_sides,
    plain_side,
    source_and_destination,
)
from integration.models import (
    Coupling,
    Job,
    Operation,
    SyncError,
    TableMapping,
    User,
)
from integration.services.articles import title_of
from integration.services.places import Place, Places, read_places
from integration.services.sentences import in_words
from integration.services.users import is_last_administrator, record_user_change

if TYPE_CHECKING:
    AdminOfUser = DjangoUserAdmin[User]
    AdminPasswordChangeFormOfUser = AdminPasswordChangeForm[User]
    AdminUserCreationFormOfUser = AdminUserCreationForm[User]
    UserChangeFormOfUser = UserChangeForm[User]
else:  # generic only for the type checker
    AdminOfUser = DjangoUserAdmin
    AdminPasswordChangeFormOfUser = AdminPasswordChangeForm
    AdminUserCreationFormOfUser = AdminUserCreationForm
    UserChangeFormOfUser = UserChangeForm


class Site(AdminSite):
    """Open to every role; what each may do there is the models' affair."""

    site_header = gettext_lazy("Sync Errors: support")
    site_title = gettext_lazy("Sync Errors")
    index_title = gettext_lazy("Records behind the pages")
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.is_authenticated

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """There is one sign-in page."""
        return redirect(f"{reverse('login')}?next={reverse('admin:index')}")

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> NoReturn:
        """Passwords are set by an administrator, as an operation with a reason."""
        raise Http404(_("Passwords are set by an administrator."))

    def password_change_done(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> NoReturn:
        """Nobody changes one here, so nothing says that it was changed."""
        self.password_change(request, extra_context)


site = Site(name="admin")


class KeysetList(ChangeList):
    """Newest first by id; nothing is counted, the next page starts at a key."""

    older = ""
    """The query string of the next page, "" on the last one."""

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        try:
            rows = list(self.queryset[: size + 1])
        except OverflowError as error:  # a number longer than any key, in the address
            raise IncorrectLookupParameters(error) from error
        places = read_places()
        for row in rows:
            row.place = place_for(row, places)
        if len(rows) > size:
            self.older = self.get_query_string({"id__lt": rows[size - 1].pk})
        self.result_list = rows[:size]
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_admin_actions = False
        self.can_show_all, self.multi_page = False, False
        self.paginator = Paginator(self.result_list, size)


def place_for(row: Any, places: Places) -> Place | None:
    """Where the records of a row live."""
    if isinstance(row, SyncError):
        return places.of(vars(row))
    return places.by_key[row.mapping.connection_id, row.mapping.name]


if TYPE_CHECKING:  # generic for the type checker only
    AnyAdmin = ModelAdmin[Any]
else:
    AnyAdmin = ModelAdmin


class ByMapping(admin.RelatedFieldListFilter):
    """Two connections may each have a mapping of the same name."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: AnyAdmin
    ) -> list[tuple[str, Any]]:
        mappings = TableMapping.objects.select_related("connection")
        return [
            (str(one.pk), f"{one.name}, {one.connection.name}")
            for one in mappings.order_by("connection__name", "name")
        ]


class ReadOnlyAdmin(AnyAdmin):
    """Everybody signed in may look; nobody may touch."""

    actions = None
    list_per_page = 50
    ordering = ("-id",)
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/keyset_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetList

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "id__lt" or super().lookup_allowed(lookup, value, request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated

    def has_view_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return request.user.is_authenticated

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: Model | None = None
    ) -> bool:
        return False


@admin.register(SyncError, site=site)
class SyncErrorAdmin(ReadOnlyAdmin):
    """Every stored error that no clean-up hides."""

    list_display = (
        "what",
        "source",
        "destination",
        "mapping_key",
        "stands",
        "last_seen",
    )
    list_filter = ("state", "direction", "connection")
    exclude = (
        *("search_text", "spared", "deleted_by", "record_name", "record_label"),
        *("problem", "chip", "message", "state", "payload_days"),
    )
    readonly_fields = ("what", "stands", "said")
    change_list_template = "admin/errors_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncError]:
        shown = SyncError.objects.visible(Operation.objects.cuts())
        return shown.select_related("problem", "connection")

    @admin.display(description=gettext_lazy("What is wrong"))
    def what(self, error: SyncError) -> str:
        problem = error.problem
        return title_of(
            problem.article, problem.params, get_language() or "en", problem.title
        )

    @admin.display(description=gettext_lazy("Message"))
    def said(self, error: SyncError) -> SafeString:
        return format_html('<span lang="en">{}</span>', error.message)

    @admin.display(description=gettext_lazy("State"))
    def stands(self, error: SyncError) -> str:
        if error.chip == Chip.WAITING:
            return _("waiting for %(what)s") % {"what": error.waits_for}
        return str(ErrorState(error.state).label)

    @admin.display(description=gettext_lazy("Source"))
    def source(self, error: SyncError) -> SafeString:
        place = getattr(error, "place", None)
        return plain_side(source_and_destination(vars(error), place)[0])

    @admin.display(description=gettext_lazy("Destination"))
    def destination(self, error: SyncError) -> SafeString:
        place = getattr(error, "place", None)
        return plain_side(source_and_destination(vars(error), place)[1])


@admin.register(Coupling, site=site)
class CouplingAdmin(ReadOnlyAdmin):
    """Which record here is which record there."""

    list_display = ("__str__", "business_central", "sales", "mapping", "coupled_at")
    list_filter = (("mapping", ByMapping),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupling]:
        return super().get_queryset(request).select_related("mapping")

    @admin.display(description="Business Central")
    def business_central(self, coupling: Coupling) -> SafeString:
        return plain_side(coupled_sides(vars(coupling), coupling.place)[0])  # type: ignore[attr-defined]  # KeysetList

    @admin.display(description="Sales")
    def sales(self, coupling: Coupling) -> SafeString:
        return plain_side(coupled_sides(vars(coupling), coupling.place)[1])  # type: ignore[attr-defined]  # KeysetList


@admin.register(Job, site=site)
class JobAdmin(ReadOnlyAdmin):
    """What ran."""

    list_display = ("__str__", "kind", "direction", "state", "records_read", "failed")
    list_filter = ("state", "kind", ("mapping", ByMapping))
    exclude = ("message", "told", "plan", "only")
    readonly_fields = ("words",)

    @admin.display(description=gettext_lazy("Message"))
    def words(self, job: Job) -> str:
        return in_words(job.told, job.message)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).select_related("mapping")


class Reasoned(forms.Form):
    """Every change of a user says why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("Kept with your name in the operations log."),
    )


class NewUserForm(Reasoned, AdminUserCreationFormOfUser):
    """A new user with the one role."""


class ChangedUserForm(Reasoned, UserChangeFormOfUser):
    """A known user; the last administrator stays one."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        stays = cleaned.get("is_active") and cleaned.get("role") == Role.ADMINISTRATOR
        if not stays and is_last_administrator(self.instance):
            raise forms.ValidationError(
                _("This is the last administrator; make another one first.")
            )
        return cleaned


class NewPasswordForm(Reasoned, AdminPasswordChangeFormOfUser):
    """A new password for a user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("usable_password"):
            # Django joins these two as it is imported, when no language is known.
            field.help_text = format_html(
                '{}<ul id="id_unusable_warning" class="messagelist">'
                '<li class="warning">{}</li></ul>',
                SetUnusablePasswordMixin.usable_password_help_text,
                _("If disabled, the current password for this user will be lost."),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned["set_usable_password"] and is_last_administrator(self.user):
            raise forms.ValidationError(
                _("This is the last administrator; make another one first.")
            )
        return cleaned


@admin.register(User, site=site)
class UserAdmin(AdminOfUser):
    """Only administrators; each change is an operation with who and why."""

    form = ChangedUserForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    list_display = ("username", "first_name", "last_name", "role", "is_active")
    list_filter = ("role", "is_active")
    filter_horizontal = ()
    actions = None
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", "password")}),
        (None, {"fields": ("first_name", "last_name", "email", "role", "is_active")}),
        (None, {"fields": ("reason",)}),
    )
    add_fieldsets: Any = (
        (
            None,
            {
                "fields": (
                    *("username", "usable_password", "password1", "password2"),
                    *("role", "reason"),
                )
            },
        ),
    )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_administrator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_administrator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_administrator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_administrator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: operations keep their names. Make the user inactive."""
        return False

    def save_model(self, request: Any, obj: User, form: Any, change: bool) -> None:
        # Each user has one role: it is what it says.
        obj.is_superuser = obj.is_superuser and obj.role == Role.ADMINISTRATOR
        super().save_model(request, obj, form, change)
        named = [name for name in form.changed_data if name in AUDITED]
        changes = {name: str(getattr(obj, name)) for name in named}
        record_user_change(
            obj,
            request.user,
            form.cleaned_data["reason"],
            {"change": "changed" if change else "made", "role": obj.role, **changes},
        )

    @transaction.atomic
    def user_change_password(
        self, request: Any, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Record the new password as an operation, without the password."""
        response = super().user_change_password(request, id, form_url)
        changed = request.method == "POST" and response.status_code == 302
        user = User.objects.filter(pk=id).first() if changed else None
        if user is not None:
            reason = request.POST.get("reason", "")
            record_user_change(user, request.user, reason, {"change": "new_password"})
        return response


AUDITED = ("username", "first_name", "last_name", "email", "role", "is_active")


def is_administrator(request: HttpRequest) -> bool:
    """Whether the person may make users."""
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_administrator
