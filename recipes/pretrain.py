"""Stage 2: multi-task training of a vision vocabulary merged into a model with a general tower.

accelerate launch recipes/pretrain.py --config recipes/vary-nano/2_pretrain.yaml --vocabulary DIR [--any_key value]
"""

from nanovlms_hf.training.pretrain import main

if __name__ == "__main__":
    main()
