"""Lists of jobs, and of what one job says of single records."""

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from integration.choices import EntryKind, JobKind
from integration.markup import parts
from integration.models import Job, JobEntry
from integration.services.sentences import in_words
from integration.tables.columns import KeysetTable


class JobTable(KeysetTable):
    """What ran."""

    css = "rows"
    what = tables.Column(verbose_name=gettext_lazy("Job"), orderable=False)
    state = tables.Column(verbose_name=gettext_lazy("State"), orderable=False)
    counts = tables.Column(verbose_name=gettext_lazy("Records"), orderable=False)
    started = tables.Column(
        verbose_name=pgettext_lazy("a job", "Started"), orderable=False
    )

    def cell_what(self, job: Job) -> SafeString:
        kind = job.get_direction_display()
        if job.kind == JobKind.REVIEW:
            kind = job.get_kind_display()
        return format_html(
            '<th scope="row"><a href="{}">{} {}</a> <span class="below">{}</span></th>',
            reverse("job", args=[job.pk]),
            job.mapping.name,
            kind,
            job.mapping.connection.name,
        )

    def cell_state(self, job: Job) -> SafeString:
        return format_html(
            "<td>{}</td>", parts.badge(job.state, job.get_state_display())
        )

    def cell_counts(self, job: Job) -> SafeString:
        words = [
            (_("%(n)s read"), job.records_read),
            (_("%(n)s created"), job.inserted),
            (_("%(n)s changed"), job.modified),
            (_("%(n)s failed"), job.failed),
            (_("%(n)s skipped"), job.skipped),
        ]
        said = [
            word % {"n": parts.number(count)}
            for index, (word, count) in enumerate(words)
            if count or index == 0
        ]
        return format_html("<td>{}</td>", ", ".join(said))

    def cell_started(self, job: Job) -> SafeString:
        return format_html(
            '<td class="nowrap">{}</td>', parts.ago(job.started_at or job.created_at)
        )


class RecentJobTable(JobTable):
    """The same on the page of its mapping, which needs not be named."""

    def cell_what(self, job: Job) -> SafeString:
        is_review = job.kind == JobKind.REVIEW
        return format_html(
            '<th scope="row"><a href="{}">{}</a></th>',
            reverse("job", args=[job.pk]),
            job.get_kind_display() if is_review else job.get_direction_display(),
        )


class EntryTable(KeysetTable):
    """What a job says of single records."""

    css = "rows"
    record = tables.Column(verbose_name=gettext_lazy("Record"), orderable=False)
    kind = tables.Column(verbose_name=gettext_lazy("Result"), orderable=False)
    message = tables.Column(verbose_name=gettext_lazy("Message"), orderable=False)

    def cell_record(self, entry: JobEntry) -> SafeString:
        return format_html(
            '<th scope="row">{}</th>', entry.label or _("record without a name")
        )

    def cell_kind(self, entry: JobEntry) -> SafeString:
        return format_html(
            "<td>{}</td>", parts.badge(entry.kind, entry.get_kind_display())
        )

    def cell_message(self, entry: JobEntry) -> SafeString:
        """The cause in the reader's words, else what was said, as it was said."""
        told = (entry.detail or {}).get("told")
        if told:
            return format_html("<td>{}</td>", in_words(told))
        if entry.kind == EntryKind.AMBIGUOUS:
            return format_html("<td>{}</td>", _("It could be the same as several."))
        return format_html('<td lang="en">{}</td>', entry.message)
