"""Before stage 1: teaches a vision vocabulary what each of its tokens shows, without a decoder.

accelerate launch recipes/pretrain_marks.py --config recipes/vary-nano/0_marks.yaml [--any_key value]
"""

from nanovlms_hf.training.marks_stage import main

if __name__ == "__main__":
    main()
