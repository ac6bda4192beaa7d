"""``integration.markup`` for templates: one name there is one tag here."""

from django import template

from integration.markup import parts, records
from integration.services.sentences import in_words

register = template.Library()

for tag in (
    parts.ago,
    parts.badge,
    parts.check_mark,
    parts.day,
    parts.external,
    parts.icon,
    parts.on_day,
    parts.other_languages,
    parts.shared_icons,
    parts.times,
    parts.to_the_second,
    parts.when,
    parts.zone,
    records.side_link,
):
    register.simple_tag(tag)
register.simple_tag(in_words, name="told")
for reading in (
    parts.duration,
    parts.ignored,
    parts.initials,
    parts.interval,
    parts.number,
):
    register.filter(reading.__name__, reading)
