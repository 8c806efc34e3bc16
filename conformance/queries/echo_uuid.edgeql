# name: echo_uuid
# args: v uuid
# result: one uuid
select <uuid>$0
