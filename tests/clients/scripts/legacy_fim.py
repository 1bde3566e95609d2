"""What came with mistralai 0.4 and is not served."""

from functools import partial

from expect import raised
from legacy import MODEL, client
from mistralai.exceptions import MistralAPIException


def check_filling_in_the_middle_is_400(world):
    asking = client(world.text)
    for suffix in ("b", None):
        ask = partial(asking.completion, model=MODEL, prompt="a", suffix=suffix)
        error = raised(MistralAPIException, ask)
        assert error.http_status == 400
        assert "cannot fill in the middle" in str(error)


def check_files_and_jobs_are_404(world):
    asking = client(world.text)
    for call in (asking.files.list, asking.jobs.list):
        assert raised(MistralAPIException, call).http_status == 404


def check_deleting_a_model_is_405(world):
    error = raised(MistralAPIException, lambda: client(world.text).delete_model("text"))
    assert error.http_status == 405
