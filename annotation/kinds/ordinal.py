"""An ordinal scale: labels in an order, so that a near miss is nearer than a far one."""

from annotation.kinds.choice import Choice


class Ordinal(Choice):
    name = "ordinal"
    title = "a step of a scale"
    sentence = "One step of an order, such as none, mild, severe; a near miss is nearer than a far one."
    is_ordered = True
    has_own_styles = True
    head = "ordinal"
    methods = {
        "majority": "Every answer counts the same; the step that most people gave wins.",
        "engine": (
            "Learns how good each volunteer is and which way they lean; a neighbouring step is the likelier "
            "mistake."
        ),
    }
