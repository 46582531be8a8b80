"""The pages of the forum."""

from django.urls import path

from forum import feeds, views, views_actions, views_ideas

urlpatterns = [
    path("forum/", views.forum, name="forum"),
    path("ideas/", views_ideas.ideas, name="ideas"),
    path("forum/new/", views.finding_new, name="finding_new"),
    path("forum/preview/", views.finding_preview, name="finding_preview"),
    path("forum/read/", views_actions.read_all, name="forum_read_all"),
    path("forum/feed.atom", feeds.own_feed, name="forum_feed"),
    path("forum/feed/<str:key>.atom", feeds.keyed_feed, name="forum_keyed_feed"),
    path("forum/<int:finding_id>/", views.finding, name="finding"),
    path("forum/<int:finding_id>/comment/", views_actions.finding_comment, name="finding_comment"),
    path("forum/<int:finding_id>/vote/", views_actions.finding_vote, name="finding_vote"),
    path("forum/<int:finding_id>/<slug:verb>/", views_actions.finding_curate, name="finding_curate"),
    path("forum/comments/<int:comment_id>/<slug:verb>/", views_actions.comment_curate, name="comment_curate"),
]
