"""Dense pretraining of a preset's vision tower on the picture world.

accelerate launch recipes/pretrain_tower.py --config recipes/nanovlm-mini-modern/1_tower.yaml [--any_key value]
"""

from nanovlms_hf.training.tower_stage import main

if __name__ == "__main__":
    main()
