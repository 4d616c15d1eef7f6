// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The simulation's ring under the contract that the kernel's ring keeps as well.
#include "fake_ring.h"

#include <set>

#include <catch2/catch_test_macros.hpp>

#include "ring_contract.h"

namespace spillway::test {
namespace {

class FakeEnd final : public RemoteEnd {
public:
    explicit FakeEnd(std::shared_ptr<FakeConnection> connection) : connection_(std::move(connection)) {}
    void send(std::string_view bytes) override { REQUIRE(connection_->send(bytes) == bytes.size()); }
    std::string read_some(std::size_t max) override { return connection_->read(max); }
    void finish() override { connection_->finish(); }
    void reset() override { connection_->reset(); }

private:
    std::shared_ptr<FakeConnection> connection_;
};

class FakeWorld final : public RingWorld {
public:
    explicit FakeWorld(const RingSizes& sizes)
        : ring_(network_, {sizes.sq_entries, sizes.cq_entries, sizes.buffers, sizes.buffer_bytes}, 1),
          listener_(network_.listen()) {}
    io::Ring& ring() override { return ring_; }
    int listener() override { return listener_; }
    std::unique_ptr<RemoteEnd> connect(std::size_t window) override {
        return std::make_unique<FakeEnd>(network_.connect(listener_, window == 0 ? std::size_t{64} * 1024 : window));
    }

private:
    FakeNetwork network_;
    FakeRing ring_;
    int listener_;
};

}  // namespace

TEST_CASE("the simulation's ring keeps the contract") {
    // Real time and real threads are what it does not have.
    const std::set<std::string_view> of_the_kernel_alone = {
        "a wake-up from another thread ends the wait and shows nowhere", "a wake-up is not lost to an overflow",
        "no wake-up of many is lost", "a wait ends in time"};
    for (const auto& clause : ring_contract()) {
        if (of_the_kernel_alone.contains(clause.name)) continue;
        DYNAMIC_SECTION(clause.name) {
            FakeWorld world(clause.sizes);
            clause.check(world);
        }
    }
}

TEST_CASE("the simulation's ring finds a descriptor closed under an operation, twice, or never opened") {
    FakeNetwork network;
    FakeRing ring(network, {}, 1);
    const int listener = network.listen();
    const auto peer = network.connect(listener, 1000);
    ring.accept(listener, {io::Op::accept, 1, 0});
    ring.wait({});
    io::Completion one;
    REQUIRE(ring.take({&one, 1}) == 1);
    const int fd = one.result;
    ring.recv(fd, {io::Op::recv, 1, 1});
    CHECK_THROWS_AS(ring.close(fd), SimFailure);
    ring.shutdown(fd, SHUT_RDWR);
    ring.wait({});
    CHECK_THROWS_AS(ring.close(fd), SimFailure);  // it ended, but its owner does not know yet
    REQUIRE(ring.take({&one, 1}) == 1);
    CHECK(one.result == 0);
    ring.close(fd);
    CHECK_THROWS_AS(ring.close(fd), SimFailure);
    CHECK_THROWS_AS(ring.close(fd + 1), SimFailure);
}

TEST_CASE("the simulation's ring finds memory of a waiting send that changed") {
    FakeNetwork network;
    FakeRing ring(network, {}, 1);
    const int listener = network.listen();
    const auto peer = network.connect(listener, 10);
    ring.accept(listener, {io::Op::accept, 1, 0});
    ring.wait({});
    io::Completion one;
    REQUIRE(ring.take({&one, 1}) == 1);
    std::string text = "longer than the window";
    iovec part = {text.data(), text.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    ring.send_wait(one.result, &message, {io::Op::send_wait, 1, 1});
    ring.submit();
    text[20] = 'X';
    for (int i = 0; i < 2; ++i) static_cast<void>(peer->read(10));
    CHECK_THROWS_AS(
        [&] {
            for (int i = 0; i < 5; ++i) {
                ring.wait({});
                static_cast<void>(peer->read(10));
            }
        }(),
        SimFailure);
}

}  // namespace spillway::test
