"""``storewise finetune``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def finetune(
    shop: Annotated[Path, typer.Option(help="Folder of the shop.")] = Path("shop"),
    name: Annotated[str, typer.Option(help="The model is written to SHOP/models/NAME.")] = "text",
    method: Annotated[str, typer.Option(help="full, lora, adalora, adapter or head.")] = "lora",
    objective: Annotated[
        str, typer.Option(help="auto, contrastive, simcse, descriptions or masked_language.")
    ] = "auto",
    model: Annotated[
        Path | None, typer.Option(help="Folder of a BERT-type encoder; default: the packaged one.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Training steps at most.", min=1)] = 200,
    batch_size: Annotated[int, typer.Option(help="Pairs a step.", min=2)] = 64,
    learning_rate: Annotated[
        float | None, typer.Option(help="Default: by method, see docs/finetune.md.")
    ] = None,
    rank: Annotated[int, typer.Option(help="Rank of LoRA and AdaLoRA.", min=1, max=256)] = 8,
    bottleneck: Annotated[int, typer.Option(help="Width of an adapter.", min=1, max=1024)] = 24,
    validate_every: Annotated[int, typer.Option(help="Steps between scores and checkpoints.", min=1)] = 25,
    patience: Annotated[
        int, typer.Option(help="Scores without a better one that end it; 0: never.", min=0)
    ] = 3,
    bf16: Annotated[bool, typer.Option(help="Matrix products in bfloat16.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint of this name.")] = False,
    log: Annotated[str, typer.Option(help="Also log to: tensorboard, wandb, mlflow (comma-separated).")] = "",
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
) -> None:
    """Adapt a text encoder to the shop's own products and behaviour."""
    from storewise.core.config import parse
    from storewise.core.progress import Bars
    from storewise.engine.finetuning.finetune import check_name
    from storewise.engine.finetuning.finetune import finetune as run
    from storewise.engine.finetuning.lessons import FinetuneConfig

    check_name(name)
    given = {
        "method": {"method": method, "rank": rank, "bottleneck": bottleneck},
        "objective": objective, "contrastive": {"batch_size": batch_size, "hard_negatives": 1},
        "steps": steps, "learning_rate": learning_rate, "validate_every": validate_every,
        "patience": patience, "bf16": bf16,
    }  # fmt: skip
    config = parse(FinetuneConfig, given, where="storewise finetune")
    bars = Bars()
    made = run(
        shop, shop / "models" / name, config, model=model, resume=resume,
        loggers=tuple(part.strip() for part in log.split(",") if part.strip()), seed=seed, progress=bars,
    )  # fmt: skip
    facts = made.facts
    before, after = facts["score_before"], facts["score_after"]
    print(f"{facts['measures']}: {before:.4f} before, {after:.4f} after {facts['best_step']} steps")
    if "queries" in facts:
        asked = facts["queries"]
        for measure in ("recall@20", "mrr@20"):
            old, new, gained = (asked[measure][when] for when in ("before", "after", "gained"))
            print(f"{measure} of {asked['queries']:,} later queries: {old['value']:.4f} before, {new['value']:.4f} after "
                  f"({gained['value']:+.4f} [{gained['low']:+.4f}, {gained['high']:+.4f}])")  # fmt: skip
    print(f"{facts['trained_parameters']:,} parameters trained with {method}")
    print(made.folder)
    if after <= before:
        bars.note("No better than the encoder as it was: keep that one.")
    else:
        bars.note(f"Serve it as encode.onnx_text.v1 with folder = {made.folder / 'onnx'}")
