// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/predecessor.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/format.h"

namespace spillway::server {
namespace {

using base::concat;
namespace log = base::log;

/// Looked at least this often: a name that was taken may be free again.
constexpr std::chrono::seconds kLookEvery{1};
/// That wait for the end of a draining server.
constexpr std::size_t kWaitingMax = 16;
/// Callers that are turned away before other work goes on.
constexpr int kStrangersAtOnce = 16;

}  // namespace

std::string successor_name(std::string_view address) { return concat("spillway-take-over/", address); }

Predecessor::Predecessor(std::string name, std::string version)
    : name_(std::move(name)), version_(std::move(version)) {}

TakeOverMessage Predecessor::message(TakeOverStep step) const {
    TakeOverMessage message;
    message.step = step;
    message.pid = static_cast<std::uint64_t>(::getpid());
    message.version = version_;
    return message;
}

bool Predecessor::step(base::Instant now) {
    if (state_ == State::over) return false;
    if (!listener_ && state_ == State::open) open(now);
    if (state_ == State::open || state_ == State::draining) take_caller(now);
    if (!caller_) {
        due_ = now + kLookEvery;
        return false;
    }
    if (hear_caller(now)) return true;
    if (caller_ && now >= due_) {
        refuse("it took too long");
        forget("was not ready in time");
    }
    return false;
}

void Predecessor::open(base::Instant now) {
    due_ = now + kLookEvery;
    if (listener_) return io::listen_as_ourselves(listener_);
    auto listener = io::listen_local(name_);
    if (listener) {
        listener_ = std::move(*listener);
    } else if (!std::exchange(told_, true)) {
        log::warn(concat("no successor can take over for now: cannot listen on @", name_, ": ", listener.error()));
    }
}

void Predecessor::take_caller(base::Instant now) {
    for (int strangers = 0; listener_ && strangers < kStrangersAtOnce; ++strangers) {
        io::Descriptor caller = io::accept_local(listener_);
        if (!caller) return;
        const auto peer = io::peer_of(caller);
        caller_ = std::move(caller);
        if (!peer || (peer->uid != ::geteuid() && peer->uid != 0)) {
            refuse("it belongs to another user");
            log::write_throttled(strangers_, now, log::Level::warn, [&] {
                return concat("pid ", peer ? peer->pid : 0, " of user ", peer ? peer->uid : 0,
                              " asked for the listening sockets and was refused: it belongs to another user");
            });
            continue;
        }
        if (state_ != State::draining) {
            caller_pid_ = static_cast<std::uint64_t>(peer->pid);
            state_ = State::asked;
            due_ = now + kAskWithin;
            return;
        }
        TakeOverMessage no = message(TakeOverStep::refused);
        no.draining = true;
        no.reason = "it drains";
        if (io::send_record(caller_, encode(no)) && waiting_.size() < kWaitingMax)
            waiting_.push_back(std::move(caller_));
        caller_.reset();
    }
}

/// True: there is an heir.
bool Predecessor::hear_caller(base::Instant now) {
    io::Record record;
    switch (io::receive_record(caller_, record)) {
        case io::Receipt::nothing_yet: return false;
        case io::Receipt::over: forget("went away before it was ready"); return false;
        case io::Receipt::malformed: break;
        case io::Receipt::record: {
            const auto heard = decode_take_over(record.text);
            if (heard) return hear(*heard, now);
            refuse(heard.error());
            forget(concat("said something that is not understood: ", heard.error()));
            return false;
        }
    }
    refuse("it is too long");
    forget("said something that is too long");
    return false;
}

bool Predecessor::hear(const TakeOverMessage& message, base::Instant now) {
    if (message.step == TakeOverStep::ask && state_ == State::asked) {
        send_offer(now);
        return false;
    }
    if (message.step == TakeOverStep::ready && state_ == State::offered) {
        heir_.message = message;
        inherited();
        return true;
    }
    refuse("that is not what comes next");
    forget("said something at the wrong time");
    return false;
}

void Predecessor::send_offer(base::Instant now) {
    TakeOverMessage offer = message(TakeOverStep::offer);
    offer.local_path = local_path_;
    std::vector<int> descriptors;
    const auto add = [&](SocketUse use, int fd) {
        offer.sockets.emplace_back(use);
        descriptors.push_back(fd);
    };
    for (const auto& [use, fd] : offered_) add(use, fd);
    if (listener_) add(SocketUse::successor, listener_.get());
    if (descriptors.size() > io::kRecordDescriptorsMax || !io::send_record(caller_, encode(offer), descriptors)) {
        forget("could not be sent the sockets");
        return;
    }
    log::info(concat("pid ", caller_pid_, " has been given the listening sockets and gets ready to take over"));
    state_ = State::offered;
    due_ = now + kReadyWithin;
}

void Predecessor::inherited() {
    // If it does not hear this it is gone, or will find that we are.
    static_cast<void>(io::send_record(caller_, encode(message(TakeOverStep::go))));
    heir_.pid = caller_pid_;
    caller_.reset();
    listener_.reset();
    state_ = State::over;
}

void Predecessor::refuse(std::string_view reason) {
    TakeOverMessage no = message(TakeOverStep::refused);
    no.reason = reason;
    static_cast<void>(io::send_record(caller_, encode(no)));
    if (state_ != State::asked && state_ != State::offered) caller_.reset();
}

void Predecessor::forget(std::string_view reason) {
    log::warn(concat("pid ", caller_pid_, ", which wanted to take over, ", reason, "; this server goes on"));
    caller_.reset();
    state_ = State::open;
}

bool Predecessor::drain() {
    if (state_ == State::over) return true;
    if (state_ == State::offered) {
        // It has the sockets: what it does not take is closed with this process.
        for (const auto& [use, fd] : offered_) heir_.message.sockets.emplace_back(use);
        inherited();
        return true;
    }
    if (state_ == State::asked) {
        waiting_.push_back(std::move(caller_));
        TakeOverMessage no = message(TakeOverStep::refused);
        no.draining = true;
        no.reason = "it drains";
        static_cast<void>(io::send_record(waiting_.back(), encode(no)));
    }
    state_ = State::draining;
    return false;
}

}  // namespace spillway::server
