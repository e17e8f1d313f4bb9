from django.urls import path

from annotation.api import campaigns, exports, held_records, labelling, people, review, rule, skill

CAMPAIGN = "campaigns/<uuid:campaign_id>/"
VOLUNTEER = CAMPAIGN + "volunteers/<uuid:volunteer_id>/"
TASK = CAMPAIGN + "tasks/<uuid:task_id>/"
ASSIGNMENT = "assignments/<uuid:assignment_id>/"

urlpatterns = [
    path("campaigns/", campaigns.CampaignListView.as_view(), name="api_campaigns"),
    path(CAMPAIGN, campaigns.CampaignView.as_view(), name="api_campaign"),
    path(CAMPAIGN + "state/", campaigns.StateView.as_view(), name="api_state"),
    path(CAMPAIGN + "dashboard/", campaigns.DashboardView.as_view(), name="api_dashboard"),
    path(CAMPAIGN + "stopping/", rule.RuleTrialView.as_view(), name="api_rule_trial"),
    path(CAMPAIGN + "queue/", campaigns.QueueView.as_view(), name="api_queue"),
    path(CAMPAIGN + "export/", exports.ExportView.as_view(), name="api_export"),
    path(CAMPAIGN + "imports/", campaigns.ImportListView.as_view(), name="api_imports"),
    path(CAMPAIGN + "held-records/", held_records.HeldRecordListView.as_view(), name="api_held"),
    path(
        CAMPAIGN + "held-records/<uuid:record_id>/release/",
        held_records.ReleaseOneView.as_view(),
        name="api_release_one",
    ),
    path(CAMPAIGN + "release/", held_records.ReleaseView.as_view(), name="api_release"),
    path(CAMPAIGN + "invitations/", campaigns.InvitationView.as_view(), name="api_invitations"),
    path(CAMPAIGN + "consent/", campaigns.ConsentView.as_view(), name="api_consent"),
    path(CAMPAIGN + "volunteers/", people.VolunteerListView.as_view(), name="api_volunteers"),
    path(VOLUNTEER, people.VolunteerView.as_view(), name="api_volunteer"),
    path(CAMPAIGN + "claim/", labelling.ClaimView.as_view(), name="api_claim"),
    path(CAMPAIGN + "my-answers/", labelling.MyAnswersView.as_view(), name="api_my_answers"),
    path(CAMPAIGN + "progress/", labelling.ProgressView.as_view(), name="api_progress"),
    path(CAMPAIGN + "my-skill/", skill.OwnSkillView.as_view(), name="api_my_skill"),
    path(CAMPAIGN + "agreement/", skill.AgreementView.as_view(), name="api_agreement"),
    path(VOLUNTEER + "skill/", skill.SkillView.as_view(), name="api_skill"),
    path(VOLUNTEER + "standing/", skill.StandingView.as_view(), name="api_standing"),
    path(CAMPAIGN + "review/", review.ToReviewView.as_view(), name="api_review"),
    path(CAMPAIGN + "unclear/", review.CaseListView.as_view(), name="api_unclear"),
    path(TASK + "why/", review.WhyView.as_view(), name="api_why"),
    path(TASK + "decide/", review.DecideView.as_view(), name="api_decide"),
    path(TASK + "doubt/", review.DoubtView.as_view(), name="api_doubt"),
    path(TASK + "resolve/", review.ResolveView.as_view(), name="api_resolve"),
    path("imports/<uuid:import_id>/", campaigns.ImportView.as_view(), name="api_import"),
    path(ASSIGNMENT + "answer/", labelling.AnswerView.as_view(), name="api_answer"),
    path(ASSIGNMENT + "skip/", labelling.SkipView.as_view(), name="api_skip"),
    path(ASSIGNMENT + "extend/", labelling.ExtendView.as_view(), name="api_extend"),
    path(ASSIGNMENT + "revise/", labelling.ReviseView.as_view(), name="api_revise"),
]
