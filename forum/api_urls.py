"""The addresses of the forum's API, below /api/v1/."""

from django.urls import path

from forum import api

urlpatterns = [
    path("findings/", api.Findings.as_view(), name="api_findings"),
    path("findings/<int:finding_id>/", api.FindingView.as_view(), name="api_finding"),
    path("findings/<int:finding_id>/comments/", api.Comments.as_view(), name="api_finding_comments"),
    path("findings/<int:finding_id>/vote/", api.VoteView.as_view(), name="api_finding_vote"),
    path("findings/<int:finding_id>/hide/", api.Hide.as_view(), name="api_finding_hide"),
    path("findings/<int:finding_id>/unhide/", api.Unhide.as_view(), name="api_finding_unhide"),
    path("findings/<int:finding_id>/pin/", api.PinView.as_view(), name="api_finding_pin"),
    path("findings/<int:finding_id>/unpin/", api.UnpinView.as_view(), name="api_finding_unpin"),
    path("comments/<int:comment_id>/hide/", api.HideComment.as_view(), name="api_comment_hide"),
    path("comments/<int:comment_id>/unhide/", api.UnhideComment.as_view(), name="api_comment_unhide"),
]
