"""Trainers that push: transformers' arguments (`push_to_hub`, `hub_strategy`, `hub_model_id` ...), our way of sending.

transformers would upload the whole output folder and with it `training_args.bin`, a pickle that holds `hub_token` where that
was given. Here weights, processor, code, card and measurements go, each push in one commit.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import HfApi, get_token
from transformers import PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor
from transformers.trainer_utils import HubStrategy
from transformers.utils import logging
from transformers.utils.hub import PushInProgress

from ..adapter_folders import is_adapter
from ..folders import read_folder
from ..hub import Pushed, commit_files, hub_sentences, push
from ..model_card import write_card

logger = logging.get_logger(__name__)


class PushMixin:
    """For a `transformers.Trainer`: pushes at each save and at the end, as `hub_strategy` says.

    With `hub_strategy` `checkpoint` or `all_checkpoints` optimizer states are asked for: transformers' own way then pushes at
    each save.
    """

    _in_turn: HfApi | None = None  # one client, whose background jobs run one after the other

    def create_model_card(self, *args, **kwargs) -> None:
        """Writes the card from what the run measured, as soon as it has been measured (`training.json`).

        An adapter keeps the card that PEFT wrote, which names its base.
        """
        folder = Path(self.args.output_dir)
        known = (folder / "training.json").is_file() and not is_adapter(folder)
        if self.is_world_process_zero() and known:
            write_card(folder, name=_model_name(self.args))

    def push_to_hub(
        self,
        commit_message: str | None = "End of training",
        blocking: bool = True,
        token: str | None = None,
        revision: str | None = None,
        private: bool | None = None,
        **kwargs,
    ) -> Pushed | None:
        """Pushes what the finished stage left in `output_dir`; on the first process only.

        Args:
            commit_message, token, revision, private: as in `hub.push`; the training arguments' own when not given.
            blocking (`bool`, defaults to `True`): only True; a finished run has nothing else to do.

        Raises:
            ValueError: see `hub.push`.
        """
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        self.save_for_hub(self.args.output_dir)
        if not self.is_world_process_zero():
            return None
        self.create_model_card()
        self._finish_current_push()
        return push(
            self.args.output_dir,
            self.args.hub_model_id or _model_name(self.args),
            private=private if private is not None else self.args.hub_private_repo,
            revision=revision or self.args.hub_revision,
            message=commit_message,
            token=token or self.args.hub_token,
        )

    def save_for_hub(self, folder: str) -> None:
        """Writes the model as it is published; the trainer's own model and processor by default."""
        self.save_model(folder, _internal_call=True)

    def checkpoint_for_hub(self, checkpoint: str) -> dict[str, str | bytes]:
        """The files of a checkpoint that are published."""
        return read_folder(checkpoint, checkpoint=True).files

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        if self.args.hub_strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
            return super()._push_from_checkpoint(checkpoint_folder)
        if not self.is_world_process_zero() or self.args.hub_strategy == HubStrategy.END:
            return None
        waiting = self.push_in_progress is not None and not self.push_in_progress.is_done()
        if waiting and not self.args.hub_always_push:
            return None
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        # Read now: the checkpoint may be deleted before the last byte has left.
        files = {
            name: source if isinstance(source, bytes) else Path(source).read_bytes()
            for name, source in self.checkpoint_for_hub(checkpoint_folder).items()
        }
        if self._in_turn is None:
            self._in_turn = HfApi()
        message = f"Training in progress, step {self.state.global_step}"
        job = self._in_turn.run_as_future(self._push_files, files, message)
        job.add_done_callback(_warn_of_failure)
        if waiting:
            self.push_in_progress.jobs.append(job)
        else:
            self.push_in_progress = PushInProgress([job])
        return None

    def _push_files(self, files: dict[str, bytes], message: str) -> None:
        token = self.args.hub_token or get_token()
        with hub_sentences(self.hub_model_id, token):
            api = HfApi(token=token)
            if self.args.hub_revision not in (None, "main"):
                api.create_branch(self.hub_model_id, branch=self.args.hub_revision, exist_ok=True)
            commit_files(api, self.hub_model_id, files, revision=self.args.hub_revision, message=message)


class PushTowerMixin(PushMixin):
    """For a trainer of a tower with heads or a decoder that only training needs: pushes the tower alone."""

    def tower_for_hub(self) -> tuple[PreTrainedModel, BaseImageProcessor]:
        """The tower and its image processor."""
        raise NotImplementedError(f"{type(self).__name__} does not say which tower it publishes")

    def save_for_hub(self, folder: str) -> None:
        """The tower, without what it was trained with, and its image processor."""
        if self.is_world_process_zero():
            for part in self.tower_for_hub():
                part.save_pretrained(folder)

    def checkpoint_for_hub(self, checkpoint: str) -> dict[str, str | bytes]:
        """The tower as it is now: a checkpoint holds it with the rest."""
        with TemporaryDirectory() as folder:
            self.save_for_hub(folder)
            return {name: Path(folder, name).read_bytes() for name in os.listdir(folder)}


def _model_name(arguments) -> str:
    return (arguments.hub_model_id or Path(arguments.output_dir).resolve().name).split("/")[-1]


def _warn_of_failure(job) -> None:
    error = job.exception()
    if error is not None:  # the training goes on, and the next save pushes again
        logger.warning(f"a push during training failed, and the training goes on: {error}")


__all__ = ["PushMixin", "PushTowerMixin"]
