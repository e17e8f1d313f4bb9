from django.urls import path

from annotation.api import labelling

CAMPAIGN = "campaigns/<uuid:campaign_id>/"
ASSIGNMENT = "assignments/<uuid:assignment_id>/"

urlpatterns = [
    path(CAMPAIGN + "claim/", labelling.ClaimView.as_view(), name="api_claim"),
    path(CAMPAIGN + "my-answers/", labelling.MyAnswersView.as_view(), name="api_my_answers"),
    path(CAMPAIGN + "progress/", labelling.ProgressView.as_view(), name="api_progress"),
    path(ASSIGNMENT + "answer/", labelling.AnswerView.as_view(), name="api_answer"),
    path(ASSIGNMENT + "skip/", labelling.SkipView.as_view(), name="api_skip"),
    path(ASSIGNMENT + "extend/", labelling.ExtendView.as_view(), name="api_extend"),
    path(ASSIGNMENT + "revise/", labelling.ReviseView.as_view(), name="api_revise"),
]
