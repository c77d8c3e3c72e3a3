"""Documents that several tests read."""

from textwrap import dedent, indent

BIG = """\
workflow: tenant-provisioning
on:
  - event: TENANT_PROVISIONING
    pattern: {data: {planConfig: {tier: [premium, standard]}}}
    uid: event.data.tenant.id
input_schema: {type: object, required: [tenant, planConfig, builderConfig]}
timeout: 2h
phases:
  - phase: prepare
    jobs:
      - job: tier
        run: tenants.tier_details
        with: {tier: "${ input.planConfig.tier }"}
        retry: {attempts: 5, delay: 1s}
      - job: quota
        run: tenants.reserve_quota
        needs: [tier]
        undo: tenants.release_quota
  - phase: build
    jobs:
      - job: build
        run: builders.start
        callback: true
        timeout: 20m
        with:
          job: "${ jobs.tier.output.jobIdentifier }"
          tenant: "${ input.tenant }"
          callback: "${ job.callback_url }"
        expect: output.status == "success"
        undo: builders.stop
  - phase: deploy
    when: input.planConfig.tier != "basic"
    each: {in: "${ default(input.regions, ['eu']) }", as: region, at_once: 3}
    jobs:
      - {job: bootstrap, run: tenants.deploy_region, with: {region: "${ region }"}}
      - job: check
        run: tenants.smoke_test
        with: {region: "${ region }"}
        needs: [bootstrap]
  - phase: billing
    activity: billing                    # pre → parallel → post, done by plugins
  - phase: approve
    jobs:
      - job: sign-off
        task:
          name: "Sign off ${ input.tenant.id }"
          assignee: ops
          due: 2d
          outcomes: [approve, reject]
          form: {type: object}
      - job: settled
        wait:
          event: PAYMENT_SETTLED
          match: {data: {tenantId: ["${ input.tenant.id }"]}}
          timeout: 7d
  - phase: announce
    jobs:
      - job: tell
        emit: {type: TENANT_PROVISIONING_SUCCESS, data: {tenantId: "${ input.tenant.id }"}}
output: {appUrl: "${ jobs.build.output.appUrl }"}
on_failure:
  - job: tell-failed
    emit: {type: TENANT_PROVISIONING_FAILURE, data: {reason: "${ run.error.name }"}}
"""

LATER_IN_BIG = ["activity"]


def big_now() -> str:
    """The big example without what is not delivered yet."""
    text = BIG
    begin, end = text.index("  - phase: billing"), text.index("  - phase: approve")
    return text[:begin] + text[end:]


def workflow(*jobs: str, head: str = "", phase: str = "", more: str = "", tail: str = "") -> str:
    """One phase with these jobs; ``more`` are further phases, ``head`` and ``tail`` members."""
    parts = ["workflow: sample", dedent(head).strip(), "phases:", "  - phase: one"]
    parts.append(indent(dedent(phase).strip(), "    "))
    parts.append("    jobs:")
    for job in jobs or ("{job: a, run: noop}",):
        lines = dedent(job).strip()
        parts.append("      - " + indent(lines, "        ").strip())
    parts.append(indent(dedent(more).strip(), "  "))
    parts.append(dedent(tail).strip())
    return "\n".join(part for part in parts if part.strip()) + "\n"


def numbered(rows: list[tuple[str, str]]) -> list[str]:
    """Test ids for rows whose texts are long or alike."""
    return [f"{number} {row[1]:.40}" for number, row in enumerate(rows)]
