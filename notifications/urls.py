"""The pages of notifications."""

from django.urls import path

from notifications import views

urlpatterns = [
    path("notifications/", views.notification_list, name="notifications"),
    path("notifications/bell/", views.bell, name="notifications_bell"),
    path("notifications/read/", views.read, name="notifications_read"),
    path("notifications/choose/", views.choose, name="notifications_choose"),
    path("notifications/webhook/", views.webhook, name="notifications_webhook"),
]
