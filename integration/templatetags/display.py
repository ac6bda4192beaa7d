"""``integration.markup`` for templates: one name there is one tag here."""

from django import template

from integration import markup

__all__ = ["register"]

register = template.Library()

for tag in (
    markup.ago,
    markup.badge,
    markup.day,
    markup.external,
    markup.icon,
    markup.other_languages,
    markup.times,
    markup.to_the_second,
    markup.when,
    markup.zone,
):
    register.simple_tag(tag)
for reading in (markup.duration, markup.initials, markup.number):
    register.filter(reading.__name__, reading)
