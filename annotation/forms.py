"""Forms of the pages. They check what was typed; services decide."""

from django import forms
from django.utils.http import urlencode
from django.utils.text import slugify

from annotation.algorithms.stopping import Rule
from annotation.kinds import KINDS, Kind, kind_named
from annotation.models import Campaign, Role

RULE_FIELDS = ("stop_certainty", "most_answers")


class CampaignForm(forms.ModelForm):
    kind = forms.ChoiceField(
        label="An answer is",
        choices=[(kind.name, kind.title) for kind in KINDS.values()],
        initial="choice",
        widget=forms.Select(attrs={"aria-describedby": "kind-words"}),
    )
    lease_minutes = forms.IntegerField(
        label="Minutes for one text",
        min_value=1,
        max_value=7 * 24 * 60,
        initial=15,
        help_text="Whoever is still at work gets more by itself; a text left lying goes to somebody else.",
    )
    audit_percent = forms.FloatField(
        label="Asked once more, in percent",
        min_value=0,
        max_value=100,
        initial=3,
        required=False,
        help_text="Of the tasks that stopped, so that over-confidence shows as a number.",
    )

    class Meta:
        model = Campaign
        fields = [
            "name", "question", "rule", "kind", "unit", "joining", "needed", "aggregation", "asks_certainty",
            "hides_gold", "preannotates", "stopping", "stop_certainty", "most_answers", "guideline",
        ]  # fmt: skip
        labels = {
            "rule": "Rule for doubtful cases",
            "unit": "One task is",
            "joining": "Who may join",
            "needed": "Answers for each task",
            "aggregation": "How answers are weighed",
            "asks_certainty": "Let volunteers say that they are not sure",
            "hides_gold": "Hide gold among the tasks",
            "preannotates": "Let the model mark beforehand",
            "stopping": "Ask",
            "stop_certainty": "Stop when so sure",
            "most_answers": "Answers at most",
        }
        help_texts = {
            "question": "Short, and answerable in the way that you choose below.",
            "rule": "One line under the question, such as “A warning or a plan does not count.”",
            "needed": "Three let a majority decide.",
            "asks_certainty": (
                "One press stays enough; a second key says “not sure”. Where answers are weighed, doubt "
                "weighs as much less as it proves to be worth, but for answers in own words."
            ),
            "hides_gold": (
                "Tasks whose right answer you brought in go out among the others, often at first and seldom "
                "later: they show how good each volunteer is."
            ),
            "preannotates": (
                "Volunteers begin with what the model would mark, and correct it. One text in ten, drawn by "
                "lot, goes out without, so that you see what it saves and whether it sways them."
            ),
            "stop_certainty": "Between 0.5 and 1; 0.97 is a good start.",
            "most_answers": "After so many a reviewer decides.",
            "guideline": "Markdown. Volunteers open it with one key while they read.",
        }
        widgets = {
            "guideline": forms.Textarea(attrs={"rows": 10}),
            "aggregation": forms.Select(attrs={"aria-describedby": "aggregation-words"}),
            "stop_certainty": forms.NumberInput(attrs={"step": "any"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in RULE_FIELDS:  # which a campaign with a fixed number of answers does without
            self.fields[name].required = False
        if not self.instance._state.adding:
            self.fields["lease_minutes"].initial = max(1, self.instance.lease_seconds // 60)
            self.fields["audit_percent"].initial = round(100 * self.instance.audit_share, 6)
            for name in ("unit", "kind"):
                self.fields[name].disabled = bool(self.instance.n_tasks)

    def clean(self) -> dict:
        cleaned = super().clean()
        if not _drafted(cleaned.get("kind")):  # whose form does not show it
            cleaned["preannotates"] = False
        return cleaned

    def campaign_fields(self) -> dict:
        """What the service takes, without the labels."""
        fields = {name: self.cleaned_data[name] for name in self.Meta.fields}
        for name in RULE_FIELDS:
            if fields[name] is None:
                del fields[name]
        if self.cleaned_data["audit_percent"] is not None:
            fields["audit_share"] = self.cleaned_data["audit_percent"] / 100
        if kind_named(fields["kind"]).of_pairs:
            fields["unit"] = Campaign.Unit.DOCUMENT
        return fields | {"lease_seconds": 60 * self.cleaned_data["lease_minutes"]}

    @property
    def kinds(self) -> dict:
        """What the page says of each kind and of its ways of weighing answers."""
        return {kind.name: _for_page(kind) for kind in KINDS.values()}

    @property
    def kind_words(self) -> str:
        kind = KINDS.get(self["kind"].value())
        return kind.sentence if kind else ""

    @property
    def traits(self) -> str:
        kind = KINDS.get(self["kind"].value())
        return _for_page(kind)["traits"] if kind else ""


def _for_page(kind: Kind) -> dict:
    """What the page shows of a kind: its traits decide which fields there are."""
    traits = {
        "pairs": kind.of_pairs,
        "labelless": not kind.has_labels,
        "roles": bool(kind.label_roles),
        "drafted": kind.is_drafted,
    }
    named = " ".join(name for name, holds in traits.items() if holds)
    return {"sentence": kind.sentence, "methods": kind.methods, "traits": named}


def _drafted(kind: str | None) -> bool:
    return kind in KINDS and KINDS[kind].is_drafted


def _text_input(name: str, **attributes) -> forms.TextInput:
    return forms.TextInput(attrs={"aria-label": name, "autocomplete": "off", **attributes})


class LabelForm(forms.Form):
    key = forms.CharField(max_length=64, required=False, widget=_text_input("Key", placeholder="by name"))
    name = forms.CharField(max_length=100, required=False, widget=_text_input("Name", placeholder="Yes"))
    role = forms.ChoiceField(
        choices=[("span", "marks words"), ("relation", "joins two marks")],
        required=False,
        widget=forms.Select(attrs={"aria-label": "Role"}),
    )
    hint = forms.CharField(
        max_length=300, required=False, widget=_text_input("Hint", placeholder="when to choose it")
    )

    def clean(self) -> dict:
        cleaned = super().clean()
        if cleaned.get("hint") and not (cleaned.get("name") or cleaned.get("key")):
            self.add_error("name", "A label needs a name.")
        return cleaned


class BaseLabelFormSet(forms.BaseFormSet):
    def label_list(self, kind: str) -> list[dict]:
        """The rows that are filled in, in order, as the kind has labels; a key left out is made of the name.

        Whether these labels will do is the kind's to say.
        """
        found = kind_named(kind)
        if not found.has_labels:
            return []
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data]
        return [
            {
                "key": row["key"] or _key_of(row["name"]),
                "name": row["name"] or row["key"],
                "hint": row["hint"],
            }
            | ({"role": row["role"] or found.label_roles[0]} if found.label_roles else {})
            for row in rows
            if row["key"] or row["name"]
        ]


def _key_of(name: str) -> str:
    """`slugify` keeps no Chinese, so a name without ASCII letters is its own key."""
    return (slugify(name).replace("-", "_") or name)[:64]


LabelFormSet = forms.formset_factory(
    LabelForm, formset=BaseLabelFormSet, extra=0, max_num=1000, absolute_max=1000
)
EMPTY_LABELS = [{"key": "yes", "name": "Yes"}, {"key": "no", "name": "No"}, {}, {}]


class InvitationForm(forms.Form):
    role = forms.ChoiceField(
        label="They join as",
        choices=[(role.value, role.label) for role in (Role.VOLUNTEER, Role.REVIEWER, Role.CAMPAIGN_ADMIN)],
    )
    max_uses = forms.IntegerField(label="How many people", min_value=1, max_value=1000, initial=1)
    valid_days = forms.IntegerField(label="Valid for days", min_value=1, max_value=90, initial=14)


class PseudonymForm(forms.Form):
    pseudonym = forms.CharField(required=False, max_length=20)


class HeldListForm(forms.Form):
    """Which part of the held records a page shows; empty leaves it open."""

    list = forms.ChoiceField(choices=[("reported", ""), ("others", "")], required=False)
    after = forms.UUIDField(required=False)

    def chosen(self) -> dict:
        """What the service takes."""
        name = self.cleaned_data["list"]
        return {"reported": name == "reported" if name else None, "after": self.cleaned_data["after"]}

    def query(self) -> str:
        return urlencode({name: value for name, value in self.cleaned_data.items() if value})


class SkipForm(forms.Form):
    """How many doubtful tasks a reviewer has left for later."""

    skip = forms.IntegerField(min_value=0, max_value=1000, required=False)

    def number(self) -> int:
        """0 for nothing, and for nonsense."""
        return (self.is_valid() and self.cleaned_data["skip"]) or 0


class DoubtForm(forms.Form):
    note = forms.CharField(max_length=500, required=False)


class StandingForm(forms.Form):
    """A person's decision: to flag is the platform's."""

    standing = forms.ChoiceField(choices=[(name, "") for name in ("trusted", "excluded")])
    reason = forms.CharField(max_length=300, required=False)


class UploadForm(forms.Form):
    file = forms.FileField(allow_empty_file=True, label="File")
    deidentified = forms.BooleanField(
        required=False,
        label="These records are free of names and other identifying details",
        help_text="If you leave this open, the records are taken in but held: no volunteer sees them.",
    )


class RuleForm(forms.Form):
    """A stop rule to try; and a guess at the volunteers' accuracy for what can be known beforehand."""

    certainty = forms.FloatField(
        label="Stop when so sure",
        min_value=0.5,
        max_value=0.9999,
        help_text="How probable it has to be that all is right. At 0.97 three of a hundred may be wrong.",
    )
    first = forms.IntegerField(
        label="Answers to start with",
        min_value=1,
        max_value=20,
        help_text="That every task gets, however clear it is.",
    )
    most = forms.IntegerField(
        label="Answers at most",
        min_value=1,
        max_value=100,
        help_text="What is undecided then goes to a reviewer.",
    )
    guessed_accuracy = forms.FloatField(
        label="Volunteers right, guessed",
        min_value=0.4,
        max_value=0.99,
        required=False,
        help_text="Of ten answers nine right is 0.9. Only for the table below.",
    )

    def __init__(self, *arguments, n_choices: int, **options):
        """n_choices: answers between which a volunteer who guesses chooses."""
        super().__init__(*arguments, **options)
        self._n_choices = n_choices

    def clean(self) -> dict:
        cleaned = super().clean()
        if cleaned.get("first") and cleaned.get("most") and cleaned["first"] > cleaned["most"]:
            self.add_error("most", "At least as many as it starts with.")
        if (cleaned.get("guessed_accuracy") or 1) <= 1 / self._n_choices:
            self.add_error("guessed_accuracy", f"Above {1 / self._n_choices:.2f}, which is chance here.")
        cleaned["guessed_accuracy"] = cleaned.get("guessed_accuracy") or 0.8
        return cleaned

    @staticmethod
    def of(campaign: Campaign) -> dict:
        return {
            "certainty": campaign.stop_certainty,
            "first": campaign.needed if campaign.is_adaptive else 2,
            "most": campaign.most_answers,
            "guessed_accuracy": 0.8,
        }

    @staticmethod
    def rule(values: dict, *, audit_share: float) -> Rule:
        first, most = values["first"], values["most"]
        return Rule(
            certainty=values["certainty"],
            first=first,
            first_while_young=min(first + 1, most),
            most=most,
            audit_share=audit_share,
        )

    def campaign_fields(self, campaign: Campaign) -> dict:
        """What the service takes to make this rule the campaign's."""
        aggregation = campaign.aggregation if campaign.weighs_volunteers else Campaign.Aggregation.ENGINE
        return {
            "stopping": Campaign.Stopping.ADAPTIVE,
            "aggregation": aggregation,
            "stop_certainty": self.cleaned_data["certainty"],
            "needed": self.cleaned_data["first"],
            "most_answers": self.cleaned_data["most"],
        }
