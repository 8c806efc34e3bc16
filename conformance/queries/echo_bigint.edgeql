# name: echo_bigint
# args: v bigint
# result: one bigint
select <bigint>$0
