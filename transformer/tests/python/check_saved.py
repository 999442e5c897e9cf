"""Whether Transformers loads what we save, and computes the same from it.

Run: python transformer/tests/python/check_saved.py ATTENDANT, with the program's path and
benches/reference/requirements.txt. Every fixture under transformer/tests/fixtures/models that the
program supports is converted to a new folder; Transformers must miss none of its tensors there and
find none too many, but for those of the fixture itself, and give the same logits as the program does
for the fixture.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

FIXTURES = Path(__file__).parent.parent / "fixtures" / "models"
# Of the largest number.
TOLERANCE = 1e-4
INPUTS = ("ids", "mask", "token_type_ids", "decoder_ids")
PROBLEMS = ("missing_keys", "unexpected_keys", "mismatched_keys")


def run(program: str, *arguments: str) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"attendant {' '.join(arguments)}: {done.stderr}")


def rows(name: str, tensor: torch.Tensor) -> list[str]:
    return [part for row in tensor.tolist() for part in (name, ",".join(map(str, row)))]


def load(folder: Path, architecture: str) -> tuple[torch.nn.Module, dict[str, set[str]]]:
    """A model, and what was the matter with its tensors."""
    cls = getattr(transformers, architecture)
    model, info = cls.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    return model.eval(), {problem: {str(key) for key in info[problem]} for problem in PROBLEMS}


def theirs(saved: Path, fixture: Path, golden: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What Transformers computes from what we saved of a fixture."""
    architecture = json.loads((saved / "config.json").read_text())["architectures"][0]
    model, found = load(saved, architecture)
    _, before = load(fixture, architecture)
    for problem in PROBLEMS:
        if found[problem] - before[problem]:
            sys.exit(f"{saved.name}: {problem}: {sorted(found[problem] - before[problem])}")
    inputs = {"input_ids": golden["ids"]}
    if "mask" in golden:
        inputs["attention_mask"] = golden["mask"]
    if "token_type_ids" in golden:
        inputs["token_type_ids"] = golden["token_type_ids"]
    if "decoder_ids" in golden:
        inputs["decoder_input_ids"] = golden["decoder_ids"]
    with torch.no_grad():
        outputs = model(**inputs)
    names = ("logits", "start_logits", "end_logits", "pooler_output", "last_hidden_state")
    return {name: outputs.get(name) for name in names if outputs.get(name) is not None}


def check(program: str, fixture: Path, scratch: Path) -> str:
    golden = load_file(fixture / "golden.safetensors")
    config = json.loads((fixture / "config.json").read_text())
    if "ForSequenceClassification" in str(config.get("architectures")):
        # Transformers' decoders classify one row at a time where there is no padding token.
        golden = {name: golden[name][:1] for name in INPUTS if name in golden}
    saved, output = scratch / fixture.name, scratch / f"{fixture.name}.safetensors"
    run(program, "convert", "--from", str(fixture), "--to", str(saved))
    arguments = rows("--ids", golden["ids"])
    for name, option in (
        ("mask", "--attention-mask"),
        ("token_type_ids", "--token-type-ids"),
        ("decoder_ids", "--decoder-ids"),
    ):
        if name in golden:
            arguments += rows(option, golden[name])
    run(program, "logits", "--model", str(fixture), *arguments, "--output", str(output))
    ours = load_file(output)
    mask = golden.get("mask", torch.ones_like(golden["ids"])).bool()
    worst = 0.0
    found = theirs(saved, fixture, golden)
    both = {name: tensor for name, tensor in found.items() if name in ours}
    if not both:
        sys.exit(f"{fixture.name}: {sorted(found)} in Transformers, here {sorted(ours)}")
    for name, tensor in both.items():
        mine = ours[name].to(tensor.dtype)
        if mine.shape != tensor.shape:
            sys.exit(f"{fixture.name}: {name} is {mine.shape}, in Transformers {tensor.shape}")
        # What stands at padding has no meaning.
        if tensor.shape[:2] == mask.shape and "decoder_ids" not in golden:
            mine, tensor = mine[mask], tensor[mask]
        worst = max(worst, ((mine - tensor).abs().max() / tensor.abs().max()).item())
    if not worst <= TOLERANCE:
        sys.exit(f"{fixture.name}: differs by {worst:.1e} of the largest number")
    return f"{fixture.name:24} {worst:.1e}"


def main() -> None:
    program = sys.argv[1]
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    fixtures = sorted(path for path in FIXTURES.iterdir() if (path / "golden.safetensors").exists())
    if not fixtures:
        sys.exit(f"no fixtures in {FIXTURES}")
    with tempfile.TemporaryDirectory() as scratch:
        for fixture in fixtures:
            print(check(program, fixture, Path(scratch)))
    print(f"{len(fixtures)} models load in Transformers {transformers.__version__} as they were saved")


if __name__ == "__main__":
    main()
