# name: not_a_number
# result: one int64
select <int64>'x'
