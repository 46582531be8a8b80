"""One step of an agent: observe, think, act; the researcher and the tools are looked up, the rows keep the state."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from agents import gate, live
from agents.admitted import admitted
from agents.errors import Held, LeaseLost, NoPrice
from agents.lifecycle import ActionState, ApprovalState, Effect
from agents.models import Action, Agent, Approval, Step
from agents.observation import nothing_new, observe
from agents.researchers import RESEARCHERS, Cancelled, ModelUnavailable, Researcher, View
from agents.services import actions, approvals, claims, steps
from agents.services.actions import Outcome, start_action
from agents.services.admission import admit
from agents.services.budgets import left_in_words
from agents.services.claims import Claim
from agents.services.transcript import read_notebook, since_compaction
from agents.tools import TOOLS, BadArguments, ToolActor, ToolResult, parse
from experiments.errors import LabError, OverBudget
from experiments.heartbeat import Heartbeat
from registry import UnknownName

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25  # how stale the answer to "may I go on?" may be in a stream: a pause is to take effect within 1 s
LONGEST_WAIT = timedelta(hours=6)  # a waiting agent looks again by itself, whatever became of what it waits for


def run_step(*, agent_id: int, worker: str) -> None:
    """Take an agent one step further, if it is due and may act; a message delivered twice finds it claimed."""
    claim = claims.claim(agent_id=agent_id, worker=worker)
    if claim is None:
        return
    with Heartbeat(renew=lambda: claims.renew(claim), worker=worker):
        try:
            step = claim.step or (_think(claim) if _settle_approvals(claim) else None)
            if step is not None:
                _act(claim, step)
        except LeaseLost as error:
            log.info("%s", error)


def _think(claim: Claim) -> Step | None:
    """Ask the researcher. Returns: the step with its reply in place; None if there is nothing to act on."""
    agent = claim.agent
    researcher = RESEARCHERS.get(agent.researcher)()
    summarise = researcher.is_crowded(_view(agent))
    step = _begun(claim, researcher, summarise)
    if step is None:
        return None
    with live.Typing(agent, step) as typing:
        try:
            thought = researcher.think(_view(agent, summarise), say=typing.say, may_go_on=_looks(agent))
        except Cancelled as stopped:
            spent = researcher.cost(agent, stopped.usage)
            steps.fail_step(claim, step, error=str(stopped), spent=spent, partial=stopped.partial, again_at=None)
            return None
        except ModelUnavailable as error:
            _try_later(claim, step, researcher, error)
            return None
    spent = researcher.cost(agent, thought.usage)
    if summarise:
        summary = "".join(block.get("text", "") for block in thought.content)
        steps.record_summary(claim, step, summary=summary, usage=thought.usage, spent=spent)
        return None
    steps.record_reply(
        claim,
        step,
        content=thought.content,
        calls=thought.calls,
        stop_reason=thought.stop_reason,
        usage=thought.usage,
        spent=spent,
    )
    return step


def _begun(claim: Claim, researcher: Researcher, summarise: bool) -> Step | None:
    """The step as a row, with what its call may cost held; None if it may not begin, which is shown on the card."""
    agent = claim.agent
    news = nothing_new(agent) if summarise else observe(agent)
    try:
        # the worst case is that of the transcript with the news in it, so they are written first; both or neither
        return steps.begin(claim, news=news, worst_case=lambda: researcher.worst_case(_view(agent, summarise)))
    except OverBudget as error:
        claims.hold_for_budget(claim, error)
    except NoPrice as error:
        claims.give_up(claim, str(error))
    except Held:
        claims.put_down(claim)
    return None


def _act(claim: Claim, step: Step) -> None:
    """Run what was asked for, one call after the other; results of calls that have ended already are kept."""
    waits_for: list[int] = []
    wait_seconds, finished = 0, False
    parked, other = list[Approval](), False
    for action in step.actions.order_by("index"):
        if action.state == ActionState.PROPOSED:
            admission = admit(claim, action)
            if admission.effect is None or (admission.effect == Effect.ALLOW and not start_action(claim, action)):
                claims.put_down(claim)
                return
            if admission.effect != Effect.ALLOW:
                parked += [admission.approval] if admission.approval else []
                continue
            other = True
            outcome, result = _run(claim, action)
            actions.finish_action(claim, action, outcome)
        else:
            result = None
        if result is not None:
            waits_for += result.wait_for
            wait_seconds = max(wait_seconds, result.wait_seconds)
            finished = finished or result.finished
    wake_at, doing = None, "waiting"
    if parked and not other:  # nothing else to go on with
        wake_at = min(each.expires_at for each in parked)
        doing = f"waiting for approval {', '.join(f'#{each.pk}' for each in parked)}"
    if waits_for or wait_seconds:
        wait = timedelta(seconds=wait_seconds) if wait_seconds else LONGEST_WAIT
        wake_at = timezone.now() + min(wait, LONGEST_WAIT)
    steps.finish_step(claim, step, waits_for=waits_for, wake_at=wake_at, finished=finished, doing=doing)


def _settle_approvals(claim: Claim) -> bool:
    """Run what people have approved and tell the agent what became of its calls. Returns: False if it is held now."""
    for approval in approvals.untold(claim.agent):
        if approval.state == ApprovalState.APPROVED:
            action = approvals.use(claim, approval)
            if action is None and gate.what_holds(claim.agent.pk) is not None:
                claims.put_down(claim)
                return False
            if action is not None:
                outcome, result = _run(claim, action)
                actions.finish_action(claim, action, outcome)
                if result is not None and result.finished:
                    approvals.tell(claim, approval)
                    claims.end(claim)
                    return False
        approvals.tell(claim, approval)
    return True


def _run(claim: Claim, action: Action) -> tuple[Outcome, ToolResult | None]:
    """One tool call. Whatever the tool or a service objects to is told to the model as a tool error."""
    agent = claim.agent
    try:
        tool = TOOLS.get(action.tool)
        arguments = parse(tool, action.arguments)
    except (UnknownName, BadArguments) as error:
        return Outcome(str(error), is_error=True, state=ActionState.FAILED), None
    with live.Typing(agent, action.step, action=action) as typing:
        actor = ToolActor(
            agent=agent,
            user=agent.user,
            key=f"action:{action.pk}",
            cancelled=_cancels(agent),
            stream=typing.say,
        )
        try:
            with admitted():
                result = tool().run(actor, arguments)
        except (LabError, ObjectDoesNotExist) as error:
            return Outcome(_told(error), is_error=True, state=ActionState.FAILED), None
        except LeaseLost:
            raise
        except Exception as error:
            # a tool's bug must not end an agent: the model is told that it failed, people find it in the log
            log.exception("the tool %s failed", action.tool)
            return Outcome(f"the tool failed: {type(error).__name__}", is_error=True, state=ActionState.FAILED), None
    if actor.cancelled():
        text = f"{result.text}\ncancelled by a reviewer".strip()
        return Outcome(text, is_error=True, state=ActionState.CANCELLED), None
    return Outcome(result.text, is_error=result.is_error), result


def _try_later(claim: Claim, step: Step, researcher: Researcher, error: ModelUnavailable) -> None:
    spent = researcher.cost(claim.agent, error.usage)
    if not error.again:
        steps.fail_step(claim, step, error=str(error), spent=spent, partial=error.partial, again_at=None, for_good=True)
        return
    again_at = steps.retry_at(claim.agent.failures, error.after_seconds)
    steps.fail_step(claim, step, error=str(error), spent=spent, partial=error.partial, again_at=again_at)


def _view(agent: Agent, summarise: bool = False) -> View:
    notebook = read_notebook(agent)
    last = Step.objects.filter(agent=agent).exclude(stop_reason="").order_by("-number").first()
    return View(
        agent=agent,
        entries=since_compaction(agent),
        notebook=notebook.body if notebook else "",
        budgets=left_in_words(agent),
        last_stop=last.stop_reason if last else "",
        summarise=summarise,
    )


def _told(error: Exception) -> str:
    if isinstance(error, Held):
        return f"not done, the agent was held before it could be: {error}. Do it again if it is still wanted."
    pointer = getattr(error, "pointer", None)
    return f"{error} ({pointer})" if pointer else str(error)


def _looks(agent: Agent) -> Callable[[], bool]:
    """May the stream go on? A plain pause lets the call in flight finish; "now", stop and an ended campaign cut it."""
    cancels = _cancels(agent)
    return lambda: not cancels()


def _cancels(agent: Agent) -> Callable[[], bool]:
    """Whether what is in flight is to be cut; the database is asked at most every LOOK_SECONDS."""
    last = [0.0]
    answer = [False]

    def ask() -> bool:
        now = time.monotonic()
        if not answer[0] and now - last[0] >= LOOK_SECONDS:
            last[0], answer[0] = now, gate.cancel_at_once(agent.pk)
        return answer[0]

    return ask
