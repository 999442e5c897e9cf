"""Whether PEFT loads the adapters that we save, and computes the same from them.

Run: ATTENDANT_SAVE_ADAPTERS=FOLDER cargo test -p attendant-transformer --test adapters, then python
transformer/tests/python/check_adapters.py FOLDER, with benches/reference/requirements.txt. Each folder
there holds adapters of one of fixtures/models, and the logits that they gave here. No tensor of the
file may be without a place in PEFT's model, and none of PEFT's without a tensor.
"""

import json
import sys
import warnings
from pathlib import Path

import peft
import torch
import transformers
from safetensors.torch import load_file

# Of the largest number.
TOLERANCE = 1e-4
INPUTS = {
    "ids": "input_ids",
    "mask": "attention_mask",
    "token_type_ids": "token_type_ids",
    "decoder_ids": "decoder_input_ids",
}


def load(folder: Path) -> tuple[torch.nn.Module, Path]:
    config = json.loads((folder / "adapter_config.json").read_text())
    base = Path(config["base_model_name_or_path"])
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    cls = getattr(transformers, architecture)
    model = cls.from_pretrained(base, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        model = peft.PeftModel.from_pretrained(model, folder).eval()
    theirs = set(peft.get_peft_model_state_dict(model, save_embedding_layers=False))
    ours = set(load_file(folder / "adapter_model.safetensors"))
    if theirs != ours:
        sys.exit(f"{folder.name}: not in both: {sorted(theirs ^ ours)}")
    return model, base


def check(folder: Path) -> str:
    model, base = load(folder)
    golden = load_file(base / "golden.safetensors")
    inputs = {theirs: golden[ours] for ours, theirs in INPUTS.items() if ours in golden}
    mask = golden.get("mask", torch.ones_like(golden["ids"])).bool()
    with torch.no_grad():
        outputs = model(**inputs)
    if "start_logits" in outputs:
        theirs = torch.stack([outputs.start_logits, outputs.end_logits], -1)
    else:
        theirs = outputs.logits
    ours = load_file(folder / "logits.safetensors")["logits"].to(theirs.dtype)
    if ours.shape != theirs.shape:
        sys.exit(f"{folder.name}: logits are {ours.shape}, in PEFT {theirs.shape}")
    # What stands at padding has no meaning.
    if theirs.shape[:2] == mask.shape and "decoder_ids" not in golden:
        ours, theirs = ours[mask], theirs[mask]
    worst = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    if not worst <= TOLERANCE:
        sys.exit(f"{folder.name}: differs by {worst:.1e} of the largest number")
    return f"{folder.name:24} {worst:.1e}"


def main() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/adapter_config.json"))
    if not folders:
        sys.exit(f"no adapters in {sys.argv[1]}")
    for folder in folders:
        print(check(folder))
    print(f"{len(folders)} adapters load in PEFT {peft.__version__} as they were saved")


if __name__ == "__main__":
    main()
