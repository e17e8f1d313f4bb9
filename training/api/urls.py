from django.urls import path

from training.api import predictions, views

CAMPAIGN = "campaigns/<uuid:campaign_id>/"

urlpatterns = [
    path(CAMPAIGN + "policy/", views.PolicyView.as_view(), name="api_policy"),
    path(CAMPAIGN + "runs/", views.RunListView.as_view(), name="api_runs"),
    path(CAMPAIGN + "models/", views.ModelVersionListView.as_view(), name="api_models"),
    path(
        CAMPAIGN + "models/<uuid:version_id>/charge/",
        views.ModelChargeView.as_view(),
        name="api_model_charge",
    ),
    path(CAMPAIGN + "predict/", predictions.PredictView.as_view(), name="api_predict"),
    path("predictions/<uuid:job_id>/", predictions.PredictionView.as_view(), name="api_prediction"),
    path("tasks/<uuid:task_id>/explanation/", views.ExplanationView.as_view(), name="api_explanation"),
    path("runs/<uuid:run_id>/", views.RunView.as_view(), name="api_run"),
]
