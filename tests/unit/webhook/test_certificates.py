"""What is decided about the webhook's certificates, and what the made ones are worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509 import verification

from quotatree.webhook import certificates
from quotatree.webhook.certificates import Issued, Step

HOSTS = ("quotatree-webhook.quotatree-system.svc", "127.0.0.1", "::1")
START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def start(now: datetime = START) -> Issued:
    return certificates.carry_out(Step.START, None, hosts=HOSTS, now=now)


def step_at(have: Issued | None, now: datetime, hosts: tuple[str, ...] = HOSTS) -> Step:
    return certificates.decide(have, hosts=hosts, now=now)


def accepted(issued: Issued, bundle: tuple[x509.Certificate, ...], now: datetime) -> bool:
    """Whether an API server that trusts `bundle` accepts what is shown."""
    name = verification.PolicyBuilder().store(verification.Store(list(bundle))).time(now)
    verifier = name.build_server_verifier(x509.DNSName(HOSTS[0]))
    try:
        verifier.verify(issued.serving, list(issued.chain[1:]))
    except verification.VerificationError:
        return False
    return True


AUTHORITY = certificates.AUTHORITY_LIFE
SERVING = certificates.SERVING_LIFE


@pytest.mark.parametrize(
    ("after", "want"),
    [
        (timedelta(0), Step.KEEP),
        (SERVING * 2 / 3 - DAY, Step.KEEP),
        (SERVING * 2 / 3 + DAY, Step.SIGN),
        (SERVING + DAY, Step.SIGN),
        (AUTHORITY + DAY, Step.START),
        (timedelta(days=-1), Step.SIGN),
    ],
    ids=["new", "still long", "last third", "ended", "authority ended", "clock went back"],
)
def test_age_decides(after: timedelta, want: Step) -> None:
    assert step_at(start(), START + after) is want


def test_nothing_there_is_a_start() -> None:
    assert step_at(None, START) is Step.START


def test_a_missing_name_is_a_new_certificate_at_once() -> None:
    assert step_at(start(), START, (*HOSTS, "other.svc")) is Step.SIGN


def test_somebody_elses_certificate_is_left_even_when_it_ended() -> None:
    theirs = replace(start(), authority_key=None)
    assert step_at(theirs, START + AUTHORITY * 2) is Step.LEAVE


def test_a_certificate_that_its_own_bundle_does_not_vouch_for_is_replaced() -> None:
    mixed = replace(start(), chain=start().chain)
    assert step_at(mixed, START) is Step.SIGN


def old(now: datetime) -> Issued:
    """An authority near its end under a serving certificate that was renewed at `now`."""
    return certificates.carry_out(Step.SIGN, start(), hosts=HOSTS, now=now)


def test_a_new_authority_is_trusted_for_a_day_before_it_signs() -> None:
    now = START + AUTHORITY * 2 / 3 + DAY
    have = old(now)
    assert step_at(have, now) is Step.SUCCEED
    both = certificates.carry_out(Step.SUCCEED, have, hosts=HOSTS, now=now)
    assert both.chain == have.chain
    assert both.authorities[1:] == have.authorities
    assert step_at(both, now + DAY - timedelta(minutes=1)) is Step.KEEP
    later = now + DAY
    assert step_at(both, later) is Step.SWITCH
    after = certificates.carry_out(Step.SWITCH, both, hosts=HOSTS, now=later)
    assert step_at(after, later) is Step.KEEP
    assert accepted(after, both.authorities, later)
    assert not accepted(after, have.authorities, later)


def test_a_renewal_waits_for_a_new_authority_to_be_trusted() -> None:
    due = START + SERVING * 2 / 3 + DAY
    both = certificates.carry_out(Step.SUCCEED, start(), hosts=HOSTS, now=due)
    assert step_at(both, due) is Step.KEEP
    assert step_at(both, due + DAY) is Step.SIGN


def test_an_ended_authority_leaves_the_bundle() -> None:
    now = START + AUTHORITY - 2 * DAY
    both = certificates.carry_out(Step.SUCCEED, old(now), hosts=HOSTS, now=now)
    switched = certificates.carry_out(Step.SWITCH, both, hosts=HOSTS, now=now + DAY)
    end = START + AUTHORITY + DAY
    assert step_at(switched, end) is Step.PRUNE
    pruned = certificates.carry_out(Step.PRUNE, switched, hosts=HOSTS, now=end)
    assert pruned.authorities == switched.authorities[:1]
    assert step_at(pruned, end) is Step.KEEP


def test_over_ten_years_of_looks_no_api_server_ever_refuses() -> None:
    """API servers learn of a bundle after the look at which it was written, every other day."""
    issued, known = None, ()
    for day in range(0, 10 * 365, 2):
        now = START + day * DAY
        while (step := step_at(issued, now)) is not Step.KEEP:
            issued = certificates.carry_out(step, issued, hosts=HOSTS, now=now)
        assert issued is not None
        known = known or issued.authorities
        if day % 20 == 0 or known != issued.authorities:
            assert accepted(issued, known, now)
        known = issued.authorities
    assert len(known) <= 2


def test_the_certificate_fits_its_names_and_purpose() -> None:
    issued = start()
    assert accepted(issued, issued.authorities, START)
    assert accepted(issued, issued.authorities, START - timedelta(minutes=59))
    assert certificates.covers(issued.serving, HOSTS)
    assert not certificates.covers(issued.serving, ["127.0.0.2"])
    assert issued.serving.not_valid_after_utc - START == SERVING


def test_a_wildcard_covers_one_label() -> None:
    wild = certificates.carry_out(Step.START, None, hosts=["*.ns.svc"], now=START)
    assert certificates.covers(wild.serving, ["webhook.ns.svc"])
    assert not certificates.covers(wild.serving, ["a.webhook.ns.svc"])


def test_no_certificate_outlives_its_authority() -> None:
    now = START + AUTHORITY - 10 * DAY
    assert old(now).serving.not_valid_after_utc <= old(now).authorities[0].not_valid_after_utc


def test_data_of_the_secret_reads_back() -> None:
    issued = start()
    again = certificates.parse(certificates.to_data(issued))
    assert again is not None
    assert (again.authorities, again.chain) == (issued.authorities, issued.chain)
    assert certificates.to_data(again) == certificates.to_data(issued)


def broken(**changes: bytes | None) -> dict[str, bytes]:
    data = certificates.to_data(start()) | changes  # type: ignore[operator]
    return {key: value for key, value in data.items() if value is not None}


@pytest.mark.parametrize(
    "data",
    [
        {},
        broken(**{"tls.crt": b""}),
        broken(**{"tls.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}),
        broken(**{"tls.key": None}),
        broken(**{"tls.key": b"garbage"}),
        broken(**{"tls.key": certificates.to_data(start())["tls.key"]}),
        broken(**{"ca.key": certificates.to_data(start())["ca.key"]}),
        broken(**{"ca.crt": b""}),
        broken(**{"ca.crt": b"garbage"}),
    ],
    ids=[
        "nothing",
        "no certificate",
        "broken certificate",
        "no key",
        "broken key",
        "another's key",
        "another authority's key",
        "key without its authority",
        "broken bundle",
    ],
)
def test_what_cannot_be_used_is_as_if_absent(data: dict[str, bytes]) -> None:
    assert certificates.parse(data) is None


@pytest.mark.parametrize("step", [Step.KEEP, Step.LEAVE])
def test_a_step_that_changes_nothing_cannot_be_carried_out(step: Step) -> None:
    with pytest.raises(ValueError, match="nothing to carry out"):
        certificates.carry_out(step, start(), hosts=HOSTS, now=START)
