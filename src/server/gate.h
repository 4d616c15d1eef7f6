// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What stands before an upgrade: the limits of the address it comes from. The address's home core is asked before the 101 is
// sent; with no such limit set nobody is asked.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <unordered_map>

#include <spillway/address.h>

#include "http/request.h"
#include "server/address_book.h"
#include "server/envelope.h"

namespace spillway::server {

class Core;
struct Client;

class Gate {
public:
    explicit Gate(Core& core) : core_(core) {}

    enum class Answer : std::uint8_t { pass, wait, refuse };
    /// An upgrade has come whole. `wait`: the request is to be looked at again when HttpFront::gate_opened() is called.
    /// A client that connects too fast passes, and is sent away by HttpFront::enter().
    [[nodiscard]] Answer ask(Client& client, const http::Request& request);
    /// The client's place is free again, if it has one.
    void leave(Client& client);

    /// A proxy spoke for another address (PROXY protocol); kept until the client is freed.
    void speaks_for(Client& client, const Address& address);
    [[nodiscard]] Address peer_of(const Client& client) const;
    [[nodiscard]] bool from_proxy(const Client& client) const;
    void forget(Client& client);

    // Between cores.
    void knock(CoreId from, const Knock& knock);
    void knocked(CoreId home, const Knocked& answer);
    void left(const AddressLeft& left) { book_.leave(left.place); }

    /// Called now and then.
    void sweep();
    [[nodiscard]] const AddressBook& book() const { return book_; }

private:
    [[nodiscard]] AddressBook::Limits limits() const;

    Core& core_;
    AddressBook book_;                                       // of the addresses that live here
    std::unordered_map<std::uint32_t, Address> spoken_for_;  // by slot
};

}  // namespace spillway::server
