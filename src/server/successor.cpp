// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/successor.h"

#include <unistd.h>

#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "io/descriptor_passing.h"

namespace spillway::server {
namespace {

using base::concat;
namespace log = base::log;

/// Said by hear() of a connection that ended: whoever was there is gone.
constexpr std::string_view kGone = "it has ended";

std::string in_seconds(std::chrono::milliseconds time) {
    return concat(std::chrono::ceil<std::chrono::seconds>(time).count(), " s");
}

std::string refusal(std::string_view why) { return concat("the running server cannot be taken over: ", why); }

}  // namespace

base::Result<Successor> Successor::ask(std::string_view name, uid_t user, std::string version,
                                       const Patience& patience) {
    Successor successor(std::move(version), patience);
    successor.predecessor_ = io::connect_local(name);
    if (!successor.predecessor_) {
        log::info("nobody to take over from: no server runs at this address");
        return successor;
    }
    const auto peer = io::peer_of(successor.predecessor_);
    const uid_t own = ::geteuid();
    if (!peer || (peer->uid != own && peer->uid != user))
        return base::fail(refusal(concat("it runs as user ", peer ? peer->uid : 0, ", and only a server of user ", own,
                                         user != own ? concat(" or ", user) : "",
                                         " is believed here: stop it, then start this one")));
    TakeOverMessage question;
    question.pid = static_cast<std::uint64_t>(::getpid());
    question.version = successor.version_;
    // Not sent: it is ending, which is what hear() finds.
    static_cast<void>(io::send_record(successor.predecessor_, encode(question)));
    io::Record record;
    auto heard = successor.hear(patience.offer, record);
    if (!heard && heard.error() == kGone) {
        log::info("nobody to take over from: the server at this address has just ended");
        return successor;
    }
    if (!heard) return base::fail(refusal(heard.error()));
    if (heard->step == TakeOverStep::refused && heard->draining) {
        log::info(concat("pid ", heard->pid, " drains already: waiting for its end"));
        if (!io::wait_readable(successor.predecessor_, patience.end))
            return base::fail(refusal(concat("it drains, and has not ended in ", in_seconds(patience.end))));
        return successor;
    }
    if (heard->step == TakeOverStep::refused) return base::fail(refusal(log::escaped(heard->reason)));
    if (heard->step != TakeOverStep::offer) return base::fail(refusal("its answer is no offer"));
    if (auto taken = successor.take(*std::move(heard), std::move(record)); !taken)
        return base::fail(refusal(taken.error()));
    return successor;
}

base::Result<void> Successor::take(TakeOverMessage offer, io::Record record) {
    if (offer.sockets.size() != record.descriptors.size())
        return base::fail(concat("sockets named: ", offer.sockets.size(), ", sent: ", record.descriptors.size()));
    for (std::size_t i = 0; i < offer.sockets.size(); ++i) {
        const auto use = offer.sockets[i];
        if (!use) continue;  // of a version that listens on more
        io::Descriptor& fd = record.descriptors[i];
        switch (*use) {
            case SocketUse::main: main.push_back(std::move(fd)); break;
            case SocketUse::metrics: metrics = std::move(fd); break;
            case SocketUse::local: local = std::move(fd); break;
            case SocketUse::successor: successor = std::move(fd); break;
        }
    }
    if (main.empty()) return base::fail("it has no main port to give");
    local_path = std::move(offer.local_path);
    log::info(concat("taking over from pid ", offer.pid, ", version ", log::escaped(offer.version), ", with ",
                     main.size(), main.size() == 1 ? " listener" : " listeners"));
    return {};
}

base::Result<void> Successor::ready(std::span<const SocketUse> taken) {
    TakeOverMessage ready;
    ready.step = TakeOverStep::ready;
    ready.pid = static_cast<std::uint64_t>(::getpid());
    ready.version = version_;
    ready.sockets.assign(taken.begin(), taken.end());
    static_cast<void>(io::send_record(predecessor_, encode(ready)));
    io::Record record;
    const auto heard = hear(patience_.go, record);
    predecessor_.reset();
    if (!heard && heard.error() == kGone) {
        log::warn("the predecessor ended before it gave its word; its sockets are here");
        return {};
    }
    if (!heard) return base::fail(refusal(heard.error()));
    if (heard->step == TakeOverStep::go || (heard->step == TakeOverStep::refused && heard->draining)) return {};
    return base::fail(
        refusal(heard->step == TakeOverStep::refused ? log::escaped(heard->reason) : std::string("it gave no word")));
}

base::Result<TakeOverMessage> Successor::hear(std::chrono::milliseconds within, io::Record& record) {
    if (!io::wait_readable(predecessor_, within))
        return base::fail(concat("it has not answered in ", in_seconds(within)));
    switch (io::receive_record(predecessor_, record)) {
        case io::Receipt::record: break;
        case io::Receipt::over: return base::fail(std::string(kGone));
        case io::Receipt::malformed:
        case io::Receipt::nothing_yet: return base::fail("its answer was cut off");
    }
    auto heard = decode_take_over(record.text);
    if (!heard) return base::fail(concat("its answer is not understood: ", heard.error()));
    return heard;
}

}  // namespace spillway::server
