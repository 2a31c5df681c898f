"""What a summary says of the plan, the design and the process it is of."""

from typing import Any

from codesign.analysis.summary import AGREEMENT_TARGETS, TARGETS
from codesign.mapping.design import count_mapping
from codesign.pdk import Pdk
from codesign.simulation.results import Results
from codesign.simulation.setting import Setting


def plan_facts(setting: Setting, results: Results) -> dict[str, Any]:
    """Figures of summary.json that are known before anything is compared."""
    hw, exported, plan = setting.exported.hardware, setting.exported, setting.plan
    pdk: Pdk = setting.point.pdk
    parameters = setting.yardstick.parameters
    return {
        "plan": plan.name,
        "plan_samples": plan.total,
        "states_in_table": results.states_in_table,
        "logits_in_table": results.logits_in_table,
        "parameters_learned": int(sum(value.size for value in parameters.values())),
        "parameter_rows": count_mapping(exported.mapping_file),
        "transistors": exported.facts["transistors"],
        "gate_area_m2": exported.facts["gate_area_m2"],
        "cell": hw.cell,
        "strobe": hw.strobe if hw.cell == "strobed" else None,
        "pdk": pdk.name,
        "pdk_sha256": pdk.sha256,
        "ngspice": setting.point.ngspice_version,
        "corner": hw.corner,
        "temperature_c": hw.temperature_c,
        "supply_v": hw.supply_v,
        "unit_current_a": hw.unit_current_a,
        "frame_s": hw.frame_s,
        "frames": setting.yardstick.timing.frames,
        "decision": str(setting.yardstick.rule),
        "near_tie_units": setting.yardstick.near_tie_units,
        "min_agreement": setting.options.min_agreement,
        "targets": TARGETS,
        "agreement_targets": AGREEMENT_TARGETS,
    }
