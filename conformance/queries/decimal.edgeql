# name: decimal
# result: one decimal
select <decimal>'12345678901234567890.0123456789'
