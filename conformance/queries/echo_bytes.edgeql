# name: echo_bytes
# args: v bytes
# result: one bytes
select <bytes>$0
