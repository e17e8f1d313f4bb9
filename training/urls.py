from django.urls import path

from training import views

CAMPAIGN = "campaigns/<uuid:campaign_id>/"

urlpatterns = [
    path("runs/<uuid:run_id>/", views.run_page, name="training_run"),
    path(CAMPAIGN + "train/", views.start, name="training_start"),
    path(CAMPAIGN + "read-texts/", views.read_texts, name="training_read_texts"),
    path(CAMPAIGN + "models/<uuid:version_id>/charge/", views.put_in_charge, name="model_charge"),
    path(CAMPAIGN + "choose-again/", views.choose_again, name="training_choose_again"),
    path(CAMPAIGN + "tasks/<uuid:task_id>/explanation/", views.explanation, name="task_explanation"),
    path(CAMPAIGN + "training/", views.policy, name="training_policy"),
]
