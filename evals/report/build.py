"""From the ledger to a page: which part comes from where."""

from ..ledger import Ledger
from . import audit, context, family, ideas, results, rungs, shares, trivial
from .facts import gather
from .page import Page


def build(ledger: Ledger, run_id: str) -> Page:
    """The page of a run, whatever state the run is in.

    Raises: LedgerError when there is no such run.
    """
    facts = gather(ledger, run_id)
    return Page(
        target=facts.comparison.run.target,
        run_id=facts.run_id,
        verdict=facts.comparison.verdict,
        standing=context.standing(facts),
        integrity=str(facts.setting("integrity") or "not recorded"),
        warnings=context.warnings(facts),
        audit_note=audit.audit_note(facts),
        audit=audit.audit(facts),
        trivial_note=trivial.trivial_note(facts),
        trivial=trivial.trivial(facts),
        highlights=results.highlights(facts),
        arms=results.arms(facts),
        method=results.method(facts),
        forest=results.forest_figure(facts),
        growth=results.growth_figure(facts),
        growth_table=results.growth_table(facts),
        shares=shares.table_of(facts),
        shares_said=shares.said(facts),
        growth_axes=results.growth_axes(facts),
        repeats=family.tables(facts.repeats, results.places(facts)),
        repeats_lead=family.lead(facts.repeats),
        repeats_figure=family.figure(facts.repeats),
        guards=results.guards(facts),
        kinds=results.kinds(facts),
        branches=ideas.branches(facts),
        discarded=ideas.discarded(facts),
        refused=ideas.refused(facts),
        crashes=ideas.crashes(facts),
        space=context.space(facts),
        compute=context.compute(facts),
        compute_check=context.compute_check(facts),
        rungs=rungs.explained(facts),
        promotions=rungs.promotions(facts),
        scaled=rungs.scaled(facts),
        without_scale_up=rungs.without_scale_up(facts),
        caveats=facts.comparison.caveats,
        environment=context.environment(facts),
        unread=context.unread(facts),
        reproduce=context.reproduce(facts),
        omitted=ideas.omitted(facts),
    )
