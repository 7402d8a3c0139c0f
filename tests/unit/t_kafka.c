/* The Kafka sink against librdkafka's own mock broker: delivered, refused and repeated, gone. Built with -Dkafka=true only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "net_help.h"
#include "sink/sink_parts.h"

static rd_kafka_t *owner;
static rd_kafka_mock_cluster_t *cluster;
static struct sink_settings set;

static int up(void **state)
{
    char why[200];

    (void)state;
    owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
    cluster = owner ? rd_kafka_mock_cluster_new(owner, 1) : NULL;
    if (!cluster || rd_kafka_mock_topic_create(cluster, "sidetone", 1, 1))
        return -1;
    set = (struct sink_settings){ .name = "k", .url = rd_kafka_mock_cluster_bootstraps(cluster), .deadline_ms = 10000 };
    return 0;
}

static int down(void **state)
{
    (void)state;
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    return 0;
}

static void *open_it(void)
{
    void *self;
    char *problem = NULL;

    assert_int_equal(sink_kafka.open(&self, &set, &help_log, &problem), 0);
    return self;
}

static int give(void *self, unsigned first, unsigned count, char *why)
{
    struct sink_row rows[200];
    size_t bad;

    for (unsigned i = 0; i < count; i++)
        rows[i] = (struct sink_row){ .id = first + i, .node = "pbx1", .kind = "call.started", .call = "1.1", .detail = "{}", .session = 5,
                                     .seq = first + i };
    why[0] = 0;
    return sink_kafka.deliver(self, rows, count, &bad, why, SINK_WHY);
}

/* The topic's messages must be first .. last by their header, each once, in order. */
static void check_topic(unsigned last)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    char why[200];
    rd_kafka_t *reader;

    rd_kafka_conf_set(c, "bootstrap.servers", set.url, why, sizeof why);
    rd_kafka_conf_set(c, "group.id", "test", why, sizeof why);
    reader = rd_kafka_new(RD_KAFKA_CONSUMER, c, why, sizeof why);
    assert_non_null(reader);
    rd_kafka_topic_partition_list_add(all, "sidetone", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(reader, all), 0);
    for (unsigned i = 1; i <= last;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 20000);
        rd_kafka_headers_t *headers;
        const void *value;
        char want[64];
        size_t n;

        assert_non_null(m);
        if (!m->err) {
            snprintf(want, sizeof want, "pbx1/5/%u/0", i++);
            assert_int_equal(rd_kafka_message_headers(m, &headers), 0);
            assert_int_equal(rd_kafka_header_get_last(headers, "key", &value, &n), 0);
            assert_int_equal(n, strlen(want));
            assert_memory_equal(value, want, n);
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_destroy(reader);
}

static void test_delivers_in_order(void **state)
{
    char why[SINK_WHY];
    void *self = open_it();

    (void)state;
    assert_int_equal(give(self, 1, 100, why), 0);
    assert_int_equal(give(self, 101, 100, why), 0);
    sink_kafka.close(self);
    check_topic(200);
}

static void test_a_broker_that_is_not_there(void **state)
{
    char why[SINK_WHY];
    void *self;

    (void)state;
    set.url = "127.0.0.1:1";
    set.deadline_ms = 500;
    self = open_it();
    assert_int_equal(give(self, 1, 10, why), -EAGAIN);
    assert_int_equal(strncmp(why, "Kafka: ", 7), 0);
    sink_kafka.close(self);
}

static void test_refused_rows_are_not_taken_for_delivered(void **state)
{
    char why[SINK_WHY];
    void *self = open_it();

    (void)state;
    rd_kafka_mock_push_request_errors(cluster, 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(give(self, 1, 10, why), -EAGAIN);
    assert_non_null(strstr(why, "authorization"));
    assert_int_equal(give(self, 1, 10, why), 0);
    sink_kafka.close(self);
    check_topic(10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivers_in_order, up, down),
        cmocka_unit_test_setup_teardown(test_a_broker_that_is_not_there, up, down),
        cmocka_unit_test_setup_teardown(test_refused_rows_are_not_taken_for_delivered, up, down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
