"""Tells an agent that runs elsewhere what the lab's own agents are told before each of their steps."""

from typing import ClassVar

from pydantic import Field

from agents.briefing import campaign_brief
from agents.selectors.news import news_of
from agents.services.budgets import left_in_words
from agents.services.transcript import read_notebook
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult


class NewsArguments(Arguments):
    """Since when."""

    since: str = Field("", max_length=80, description="`since` of your last call of this; empty: everything.")


@TOOLS.register("news")
class ReadNews(Tool):
    """The same selector as GET me/news/."""

    name: ClassVar[str] = "news"
    summary: ClassVar[str] = (
        "Begin here, and look again from time to time: your campaign and direction, what is left of your budgets, your"
        " notebook, your experiments that have ended, new findings of others, messages from people."
    )
    Arguments: ClassVar[type[Arguments]] = NewsArguments
    inside: ClassVar[bool] = False
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: NewsArguments) -> ToolResult:
        """The brief only when everything is asked for. Raises: InvalidInput."""
        agent = actor.agent
        news = news_of(agent, since=arguments.since)
        parts = [] if arguments.since else [campaign_brief(agent)]
        parts.append(f"Left of your budgets:\n{left_in_words(agent)}")
        notebook = read_notebook(agent)
        if notebook is not None and not arguments.since:
            parts.append(f"Your notebook, version {notebook.version}:\n{notebook.body}")
        parts += [each.text for each in news.messages]
        parts.append(news.text or "Nothing else is new.")
        parts.append(f"since: {news.since}")
        return ToolResult("\n\n".join(parts))
