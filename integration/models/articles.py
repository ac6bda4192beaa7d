"""TaughtArticle: a cause that an administrator explained, beside the built-in ones."""

from django.db import models
from django.db.models import Q

from integration.choices import Category, Who
from integration.models.fields import text
from integration.models.operations import Operation

TAUGHT = "taught-"
"""How the ids of taught articles begin; no built-in one does."""
TITLE_LENGTH = 120


class TaughtArticle(models.Model):
    """Title, meaning and steps in one language or both, and patterns, one per line.

    ``edition`` is new after every change, so that whoever remembers an article by it
    never tells an old one. ``due_at`` is set while errors are still to be moved to it,
    or away from it. A withdrawn one classifies nothing any more; its row stays for what
    was said with it.
    """

    patterns = models.TextField()
    title_en = text(TITLE_LENGTH)
    title_fr = text(TITLE_LENGTH)
    meaning_en = models.TextField(blank=True, default="")
    meaning_fr = models.TextField(blank=True, default="")
    steps_en = models.TextField(blank=True, default="")
    steps_fr = models.TextField(blank=True, default="")
    who = models.CharField(max_length=20, choices=Who)
    category = models.CharField(max_length=20, choices=Category)
    edition = models.CharField(max_length=32)
    due_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    operation = models.ForeignKey(
        Operation, models.PROTECT, related_name="taught_articles"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(title_en="", title_fr=""),
                name="a_taught_article_has_a_title",
            ),
            models.CheckConstraint(
                condition=~Q(patterns=""), name="a_taught_article_has_a_pattern"
            ),
        ]

    def __str__(self) -> str:
        return self.title_en or self.title_fr

    @property
    def key(self) -> str:
        """Its id among all articles."""
        return f"{TAUGHT}{self.pk}"
