# name: isolation
# result: one str
select <str>sys::get_transaction_isolation()
