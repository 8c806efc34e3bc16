# name: count_transfers
# result: one int64
select count(Transfer)
